package remote

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Whatever the words, /bin/sh gets them as they are.
func TestQuote(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.SliceOfN(shellText, 1, 8).Draw(t, "words")
		script := "printf '%s\\0'"
		for _, word := range words {
			script += " " + Quote(word)
		}
		out, err := exec.Command("/bin/sh", "-c", script).Output()
		if err != nil {
			t.Fatalf("%v: %s", err, script)
		}
		if want := strings.Join(words, "\x00") + "\x00"; string(out) != want {
			t.Errorf("got %q, want %q", out, want)
		}
	})
}

// shellText is text without NULs in which what shells care for is frequent.
var shellText = rapid.Custom(func(t *rapid.T) string {
	pieces := rapid.SliceOf(rapid.OneOf(
		rapid.SampledFrom([]string{"'", `"`, `\`, "!", "!!", "\n", "$", "`", "*", "~", "#", " ", ";", "-", "%", "$(", `\'`, `\\`, "7", "\x80", "\xff", "é"}),
		rapid.StringMatching(`[ -~]{0,5}`),
	)).Draw(t, "pieces")
	return strings.Join(pieces, "")
})

var loginShells = [][]string{{"sh"}, {"bash"}, {"dash"}, {"busybox", "ash"}, {"mksh"}, {"ksh"}, {"zsh"}, {"fish", "--no-config"}, {"csh", "-f"}, {"tcsh", "-f"}}

// Every login shell that there is hands the script on as it is, with the
// standard input for the script.
func TestLoginShells(t *testing.T) {
	for _, shell := range loginShells {
		t.Run(shell[0], func(t *testing.T) {
			path, err := exec.LookPath(shell[0])
			if err != nil {
				t.Skip("it is not installed")
			}
			run := func(t interface{ Fatalf(string, ...any) }, script, stdin string) string {
				args := append(shell[1:], "-c", sshCommand(script, false))
				cmd := exec.Command(path, args...)
				cmd.Stdin = strings.NewReader(stdin)
				var stderr bytes.Buffer
				cmd.Stderr = &stderr
				out, err := cmd.Output()
				if err != nil || stderr.Len() > 0 {
					t.Fatalf("%v: %s%s", err, script, stderr.Bytes())
				}
				return string(out)
			}
			rapid.Check(t, func(t *rapid.T) {
				text, input := shellText.Draw(t, "text"), shellText.Draw(t, "input")
				// A comment, a here-document and the input, each after a newline.
				script := "# it's a !comment\\\nprintf '%s:%s' \"$#\" " + Quote(text) + "\ncat <<'END'\n" + `\n'!"$` + "\nEND\ncat"
				want := "0:" + text + `\n'!"$` + "\n" + input
				if got := run(t, script, input); got != want {
					t.Errorf("got %q, want %q", got, want)
				}
			})
			if got := run(t, "printf "+strings.Repeat("x", 100_000), ""); len(got) != 100_000 {
				t.Errorf("a long script: %d bytes", len(got))
			}
		})
	}
}

// sudo keeps no variable that it doesn't know: a script has the login's own
// SSH_CONNECTION all the same, as text, whatever it holds.
func TestLoginShellsSudo(t *testing.T) {
	path := fakeSudo(t, `test "$1" = -n && shift && exec env -i PATH="$PATH" "$@"`)
	for _, shell := range loginShells {
		t.Run(shell[0], func(t *testing.T) {
			program, err := exec.LookPath(shell[0])
			if err != nil {
				t.Skip("it is not installed")
			}
			for _, login := range []string{"SSH_CONNECTION=192.0.2.2 50000 192.0.2.11 22", `SSH_CONNECTION=$(echo no) "'*\`, "NONE=1"} {
				cmd := exec.Command(program, append(shell[1:], "-c", sshCommand(`printf '%s:%s:' "$#" "$SSH_CONNECTION"; cat`, true))...)
				cmd.Env, cmd.Stdin = []string{"PATH=" + path, login}, strings.NewReader("data")
				out, err := cmd.CombinedOutput()
				value, _ := strings.CutPrefix(login, "SSH_CONNECTION=")
				if login == "NONE=1" {
					value = ""
				}
				if want := "0:" + value + ":data"; err != nil || string(out) != want {
					t.Errorf("%s: got %q (%v), want %q", login, out, err, want)
				}
			}
		})
	}
}

// The command holds nothing that any login shell could take as its own.
func TestCommandIsPlain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		script := rapid.String().Draw(t, "script")
		word, found := strings.CutPrefix(sshCommand(script, false), `sh -c 'eval "shift;$(printf %b "$1")"' sh '`)
		word, closed := strings.CutSuffix(word, "'")
		if !found || !closed {
			t.Fatalf("another form: %s", sshCommand(script, false))
		}
		for i := range len(word) {
			if c := word[i]; c < ' ' || c > '~' || c == '\'' || c == '!' {
				t.Errorf("%q in %q", c, word)
			}
		}
		if strings.HasSuffix(word, `\`) || strings.Contains(word, `\\`) {
			t.Errorf("fish would take a backslash of %q", word)
		}
	})
}

func TestShellWord(t *testing.T) {
	for in, want := range map[string]string{
		"root@192.168.1.1": "root@192.168.1.1",
		"/home/a b/x":      "'/home/a b/x'",
		"":                 "''",
		"[::1]:22":         "'[::1]:22'",
		"~/.ssh/id":        "'~/.ssh/id'",
		"$(reboot)":        "'$(reboot)'",
	} {
		if got := shellWord(in); got != want {
			t.Errorf("%q: got %s, want %s", in, got, want)
		}
	}
}
