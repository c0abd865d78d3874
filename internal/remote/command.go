package remote

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// task is what a Runner is given to do.
type task struct {
	text    string   // as errors show it
	line    string   // the command line for the login shell at the far end
	longest int      // how many bytes it may have
	argv    []string // the program and its arguments on this computer
}

// scriptTask is a POSIX sh script.
func (r *Runner) scriptTask(script string) (task, error) {
	t := task{text: script, longest: maxCommand, argv: []string{"/bin/sh", "-c", script}}
	body := script
	if r.target.Sudo {
		body = withSudoMark(script)
		t.argv = []string{r.pool.here.sudo, "-n", "/bin/sh", "-c", takeLogin + body, "sh", r.pool.here.login}
	}
	if !r.target.Local {
		t.line = sshCommand(body, r.target.Sudo)
	}
	return t, checkScript(script)
}

// maxWindowsCommand is how many characters cmd.exe, the default shell of
// Win32-OpenSSH, takes: 8191, in which its own name and option have to fit too.
const maxWindowsCommand = 8000

// Command runs a program with arguments and without any shell of ours: for
// machines that have no sh, which is to say Windows. Input, output and errors
// are those of [Runner.Run].
//
// At the far end of an SSH connection there is a shell all the same, which
// parses the command line: cmd.exe or PowerShell. A word that not both of them,
// and sh, would take for the same gives an error, and so does a line of more
// than 8,000 characters: data belongs into stdin.
func (r *Runner) Command(ctx context.Context, argv []string, stdin []byte) ([]byte, error) {
	line, err := windowsLine(argv)
	if err == nil && r.target.Sudo {
		err = errors.New("there is no sudo on Windows: log in as an administrator, and leave out sudo = true")
	}
	if err != nil {
		return nil, r.unreachable(err)
	}
	return r.run(ctx, task{text: line, line: line, longest: maxWindowsCommand, argv: argv}, stdin)
}

// windowsLine spells words as a command line, for whatever shell.
func windowsLine(argv []string) (string, error) {
	if len(argv) == 0 {
		panic("remote: a command without a program")
	}
	spelled := make([]string, len(argv))
	for i, word := range argv {
		var err error
		if spelled[i], err = windowsWord(word); err != nil {
			return "", err
		}
	}
	return strings.Join(spelled, " "), nil
}

// windowsWord puts a word between double quotes if need be. In these, cmd.exe
// knows % and, in some settings, ! and ^; PowerShell and sh know $ and the grave
// accent; and a backslash before the closing one is read in as many ways as
// there are programs. For PowerShell typographic double quotes are double quotes
// too (about_Quoting_Rules). A word with any of them can't be spelled.
func windowsWord(word string) (string, error) {
	for _, c := range word {
		if strings.ContainsRune("\"\u201c\u201d\u201e%!^$`", c) || !unicode.IsPrint(c) {
			return "", fmt.Errorf("the character %q can't be passed to a program on Windows in the word %q", c, word)
		}
	}
	if strings.HasSuffix(word, `\`) || strings.Contains(word, `\\`) {
		return "", fmt.Errorf("the word %q can't be passed to a program on Windows: it has a backslash at its end, or two in a row", word)
	}
	plain := func(c rune) bool {
		return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.ContainsRune("+-./:=_", c)
	}
	if word != "" && strings.TrimFunc(word, plain) == "" {
		return word, nil
	}
	return `"` + word + `"`, nil
}
