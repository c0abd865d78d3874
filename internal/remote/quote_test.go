package remote

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
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
		rapid.SampledFrom([]string{"'", `"`, `\`, "!", "!!", "\n", "$", "`", "*", "~", "#", " ", ";", "-", "%", "$(", `\'`, `\\`, "7", "\t", "\r", "\x01", "\x7f", "\x80", "\xff", "é"}),
		rapid.StringMatching(`[ -~]{0,5}`),
	)).Draw(t, "pieces")
	return strings.Join(pieces, "")
})

// loginShells are commands that an account's shell may be. OpenSSH's csh is
// most often tcsh; bsd-csh is what tcsh began as, which takes no longer word
// than 8,191 bytes.
var loginShells = [][]string{{"sh"}, {"bash"}, {"dash"}, {"busybox", "ash"}, {"mksh"}, {"ksh93"}, {"zsh"}, {"fish"}, {"tcsh"}, {"bsd-csh"}}

// nasty is a script that prints how many arguments it has, text, and its input,
// and that has something after each newline: a comment, which ends in a
// backslash, and a here-document.
func nasty(text string) string {
	return "# it's a !comment\\\nprintf '%s:%s' \"$#\" " + Quote(text) + "\n\ncat <<'END'\n\t" + `\n'!"$` + "\nEND\ncat"
}

// nastyPrints is what that script prints.
func nastyPrints(text, input string) string { return "0:" + text + "\t" + `\n'!"$` + "\n" + input }

// everyByte is text with each byte that can be in a script.
func everyByte() string {
	var all []byte
	for c := 1; c < 256; c++ {
		all = append(all, byte(c))
	}
	return string(all)
}

const usualPath = "/usr/sbin:/usr/bin:/sbin:/bin"

// asLogin gives a command as sshd runs it for an account with this shell: a
// program and its arguments.
func asLogin(t interface{ Skip(...any) }, shell []string, home, path, command, stdin string) *exec.Cmd {
	program, err := exec.LookPath(shell[0])
	if err != nil {
		t.Skip(shell[0] + " is not installed")
	}
	cmd := exec.Command(program, slices.Concat(shell[1:], []string{"-c", command})...)
	cmd.Env, cmd.Stdin = []string{"HOME=" + home, "PATH=" + path}, strings.NewReader(stdin)
	return cmd
}

// Every login shell that there is hands a script on as it is, with the standard
// input for the script.
func TestLoginShells(t *testing.T) {
	for _, shell := range loginShells {
		t.Run(shell[0], func(t *testing.T) { testShell(t, shell, usualPath) })
	}
}

// So does every shell that a computer may have by the name of sh.
func TestShellsNamedSh(t *testing.T) {
	for _, name := range []string{"bash", "dash", "busybox", "mksh", "ksh93", "zsh"} {
		t.Run(name, func(t *testing.T) {
			program, err := exec.LookPath(name)
			if err != nil {
				t.Skip("it is not installed")
			}
			dir := t.TempDir()
			check(t, os.Symlink(program, filepath.Join(dir, "sh")))
			testShell(t, []string{"bash"}, dir+":"+usualPath)
		})
	}
}

func testShell(t *testing.T, shell []string, path string) {
	home := t.TempDir()
	for script, want := range map[string]string{
		"":                 "",
		nasty(everyByte()): nastyPrints(everyByte(), "echo input"),
		// Words are split as ever.
		`for w in $(printf 'a b\tc\nd'); do echo $w; done`: "a\nb\nc\nd\n",
		"set -- a b\necho \"$*\"":                          "a b\n",
		"exec sh -s":                                       "input\n", // runs the input
		strings.Repeat("printf %s "+strings.Repeat("x", 90)+"\n", 1000): strings.Repeat("x", 90_000),
	} {
		out, err := asLogin(t, shell, home, path, sshCommand(script, false), "echo input").CombinedOutput()
		if err != nil || string(out) != want {
			t.Errorf("%.60q: got %.600q (%v), want %.600q", script, out, err, want)
		}
	}
}

// Whatever the text, and whatever the login shell.
func TestTextThroughLoginShells(t *testing.T) {
	home := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		shell := rapid.SampledFrom(loginShells).Draw(t, "shell")
		text, input := shellText.Draw(t, "text"), shellText.Draw(t, "input")
		out, err := asLogin(t, shell, home, usualPath, sshCommand(nasty(text), false), input).CombinedOutput()
		if want := nastyPrints(text, input); err != nil || string(out) != want {
			t.Errorf("got %q (%v), want %q", out, err, want)
		}
	})
}

// sudo keeps no variable that it doesn't know: a script has the login's own
// SSH_CONNECTION all the same, as text, whatever it holds.
func TestLoginShellsSudo(t *testing.T) {
	path := fakeSudo(t, `test "$1" = -n && shift && exec env -i PATH="$PATH" "$@"`)
	for _, shell := range loginShells {
		t.Run(shell[0], func(t *testing.T) {
			home := t.TempDir()
			for _, login := range []string{"SSH_CONNECTION=192.0.2.2 50000 192.0.2.11 22", `SSH_CONNECTION=$(echo no) "'*\`, "NONE=1"} {
				cmd := asLogin(t, shell, home, path, sshCommand("printf '%s:' \"$SSH_CONNECTION\"\n"+nasty("it's"), true), "data")
				cmd.Env = append(cmd.Env, login)
				out, err := cmd.CombinedOutput()
				value, _ := strings.CutPrefix(login, "SSH_CONNECTION=")
				if login == "NONE=1" {
					value = ""
				}
				if want := value + ":" + nastyPrints("it's", "data"); err != nil || string(out) != want {
					t.Errorf("%s: got %q (%v), want %q", login, out, err, want)
				}
			}
		})
	}
}

// The command holds nothing that any login shell could take as its own.
func TestCommandIsPlain(t *testing.T) {
	word := regexp.MustCompile(`^ ('[^'\\!\n]*'|\\['\\!])+`)
	rapid.Check(t, func(t *rapid.T) {
		script := rapid.String().Draw(t, "script")
		for _, sudo := range []bool{false, true} {
			rest, _ := strings.CutPrefix(sshCommand(script, sudo), `sh -c`)
			for rest != "" {
				at := word.FindStringIndex(rest)
				if after, found := strings.CutPrefix(rest, " sh"); found {
					rest = after
				} else if at != nil {
					rest = rest[at[1]:]
				} else {
					t.Fatalf("%q in %q", rest, sshCommand(script, sudo))
				}
			}
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
