package main

import (
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/btplan/btplan/internal/igdtest"
	"github.com/btplan/btplan/internal/lab"
)

// terminal is btplan with a terminal for its standard streams.
type terminal struct {
	*lab.Cmd
	keyboard *os.File // what is written to it is typed
	screen   strings.Builder
}

// onTerminal starts btplan on a terminal of so many columns.
func (h *upnpHome) onTerminal(columns uint16, args ...string) *terminal {
	h.t.Helper()
	var tty *os.File
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err == nil {
		h.t.Cleanup(func() { _ = keyboard.Close() })
		tty, err = openTTY(int(keyboard.Fd()), columns)
	}
	if err != nil {
		h.t.Skipf("no pseudo-terminal: %v", err)
	}
	defer func() { _ = tty.Close() }()
	c := h.Control.Command(h.t.Context(), h.btplan, append([]string{"-chdir=" + upnpDir}, args...)...)
	c.Stdin, c.Stdout, c.Stderr = tty, tty, tty
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := c.Start(); err != nil {
		h.t.Fatal(err)
	}
	return &terminal{Cmd: c, keyboard: keyboard}
}

// openTTY opens the other end of a pseudo-terminal (pty(7)).
func openTTY(keyboard int, columns uint16) (*os.File, error) {
	if err := unix.IoctlSetPointerInt(keyboard, unix.TIOCSPTLCK, 0); err != nil {
		return nil, err
	}
	n, err := unix.IoctlGetInt(keyboard, unix.TIOCGPTN)
	if err != nil {
		return nil, err
	}
	if err := unix.IoctlSetWinsize(keyboard, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: columns}); err != nil {
		return nil, err
	}
	return os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
}

// until reads what is printed until it matches, or to its end.
func (c *terminal) until(t *testing.T, pattern string) {
	t.Helper()
	wanted := regexp.MustCompile(pattern)
	buffer := make([]byte, 4096)
	for pattern == "" || !wanted.MatchString(c.screen.String()) {
		n, err := c.keyboard.Read(buffer)
		c.screen.Write(buffer[:n])
		if err != nil && pattern != "" {
			t.Fatalf("before it printed %s, it ended: %q", pattern, c.screen.String())
		}
		if err != nil { // EIO: nobody has the terminal open any more
			return
		}
	}
}

// A long apply tells on a terminal how far it has come, in a line that goes. It
// can be broken off by Ctrl-C, twice, and the next one does the rest.
func TestLabTerminal(t *testing.T) {
	if signal.Ignored(os.Interrupt) {
		// So it is for what a script starts in the background, and for what
		// that starts; but not for what starts where it is caught.
		caught := make(chan os.Signal, 1)
		signal.Notify(caught, os.Interrupt)
		defer signal.Stop(caught)
	}
	h := newUPnPHome(t, lab.UPnP{})
	fake := newFakeRouter(t, h.Desktop, lab.DesktopLAN, igdtest.Quirks{OnCall: func(_ *igdtest.Router, action string) int {
		if action == "AddPortMapping" {
			time.Sleep(30 * time.Millisecond) // a slow router
		}
		return 0
	}})
	fake.on(right)
	args := exampleArgs("apply", "-auto-approve", "-var=router="+lab.DesktopLAN)
	const columns, ctrlC = 50, "\x03"

	c := h.onTerminal(columns, args...)
	c.until(t, `\[\d+ of 119\]`)
	for _, heard := range []string{"Interrupt received", ""} {
		if _, err := c.keyboard.WriteString(ctrlC); err != nil {
			t.Fatal(err)
		}
		c.until(t, heard)
	}
	_ = c.Wait() // the code tells
	done := len(fake.Mappings())
	text := strings.Join(strings.Fields(c.screen.String()), " ")
	if c.ProcessState.ExitCode() != 1 || done == 0 || done == 119 || !strings.Contains(text, fmt.Sprintf("It was stopped. %d of 119 steps were taken", done)) {
		t.Errorf("broken off with code %d and %d mappings: %q", c.ProcessState.ExitCode(), done, c.screen.String())
	}

	c = h.onTerminal(columns, args...)
	c.until(t, "")
	if err := c.Wait(); err != nil || len(fake.Mappings()) != 119 || !strings.Contains(c.screen.String(), "Apply complete!") {
		t.Errorf("the next one: %v, %d mappings: %q", err, len(fake.Mappings()), c.screen.String())
	}
	_, lines, _ := strings.Cut(c.screen.String(), "Modifying...")
	live := strings.Split(lines, "\r\x1b[K")
	if len(live) < 5 {
		t.Errorf("the line did not change: %q", lines)
	}
	for _, line := range live[1 : len(live)-1] {
		if len([]rune(line)) >= columns || !regexp.MustCompile(fmt.Sprintf(`Still modifying\.\.\. \[\d+ of %d\]$`, 119-done)).MatchString(line) {
			t.Errorf("in %d columns: %q", columns, line)
		}
	}

	// Where there is no terminal, nothing is taken back.
	if out := h.must(0, exampleArgs("destroy", "-auto-approve", "-var=router="+lab.DesktopLAN), "Destroy complete!"); strings.ContainsAny(out, "\r\x1b") {
		t.Errorf("for a file: %q", out)
	}
}
