package cli

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestUnfinished(t *testing.T) {
	for text, want := range map[string]bool{
		"":                     false,
		"1 +":                  false,
		"[1,":                  true,
		"[1,\n2":               true,
		"[1,\n2]":              false,
		"f({a = [":             true,
		"f({a = [\n]})":        false,
		`"["`:                  false,
		"[ # ]":                true,
		"[ /* ]\n*/ ]":         false,
		`["${`:                 true,
		"\"${[1,\n2][0]}":      false, // the rest of a string has to be on the same line
		"\"${[1,\n2][0]}\"":    false,
		`"%{ if true }`:        false,
		`["abc`:                false,
		"<<EOT":                true,
		"<<EOT\n[\nEOT":        false,
		"[<<-EOT\n  a\n  EOT":  true,
		"<<EOT\n${[\n1][0]}":   true,
		"<<EOT\n${[}\nEOT\n":   false, // wrong, and nothing can make it right
		"(]":                   false,
		"[(]":                  false,
		")":                    false,
		"$${":                  true,
		"\xff[":                true,
		strings.Repeat("(", 9): true,
	} {
		if got := unfinished(text); got != want {
			t.Errorf("unfinished(%q) = %t", text, got)
		}
	}
}

// consoleOn runs the command on an input to its end.
func consoleOn(t *testing.T, stdin io.Reader, code int, wantOut, wantErr string) {
	t.Helper()
	start(t, stdin, "console").end(code, wantOut, wantErr)
}

func TestConsoleLimits(t *testing.T) {
	const tooLong = "Error: Expression too long"
	longest := `"` + strings.Repeat("a", maxExpression-2) + `"`
	consoleOn(t, strings.NewReader(longest), exitOK, longest, "")
	consoleOn(t, strings.NewReader(longest+"\r\n"), exitOK, longest, "")
	consoleOn(t, strings.NewReader("1\na"+longest), exitError, "1\n", tooLong)
	consoleOn(t, strings.NewReader("[\n"+longest+"\n]"), exitError, "", tooLong)
	consoleOn(t, strings.NewReader("["+strings.Repeat("\n", maxLines-1)+"2]"), exitOK, "[2]\n", "")
	consoleOn(t, strings.NewReader("["+strings.Repeat("\n", maxLines)+"2]"), exitError, "", tooLong)
	consoleOn(t, strings.NewReader(strings.Repeat("[", maxExpression)), exitError, "", "Nested too deep")
	consoleOn(t, zeros{}, exitError, "", tooLong)
}

// zeros is an input without line ends.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestConsoleUnreadable(t *testing.T) {
	consoleOn(t, io.MultiReader(strings.NewReader("1\n"), iotest.ErrReader(errors.New("the disk is gone"))), exitError, "1\n", "The standard input can't be read: the disk is gone.")
}

// Ctrl-C ends a console that waits for input.
func TestInterruptConsole(t *testing.T) {
	stdin, keyboard := io.Pipe()
	defer func() { _ = keyboard.Close() }()
	p := start(t, stdin, "console")
	if _, err := io.WriteString(keyboard, "machine.pc.address\n[\n"); err != nil {
		t.Fatal(err)
	}
	p.out.await(t, `"192.168.1.11"`)
	p.interrupt()
	p.end(exitError, "", "")
	if !p.released.Load() {
		t.Error("another Ctrl-C would have been swallowed")
	}
}
