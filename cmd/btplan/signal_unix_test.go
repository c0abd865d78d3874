//go:build unix

package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience bounds each wait for btplan.
const patience = 30 * time.Second

// command is btplan, which testscript puts in the PATH, with one gateway.
func command(t *testing.T, args ...string) (cmd *exec.Cmd, dir string) {
	t.Helper()
	dir = t.TempDir()
	const source = `
btplan {
  project = "home"
}
gateway "simulated" "home" {}
machine "pc" {
  address = "192.168.1.11"
}
port_range "bt" {
  machine  = machine.pc
  gateways = [gateway.home]
  ports    = 6881
}
`
	if err := os.WriteFile(filepath.Join(dir, "main.btp.hcl"), []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd = exec.CommandContext(t.Context(), "btplan", args...)
	cmd.Dir = dir
	return cmd, dir
}

// Who reads the output goes away: what was begun is finished, and the exit
// code says that something was lost.
func TestBrokenPipe(t *testing.T) {
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := reader.Close(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = writer.Close() }()
	cmd, dir := command(t, "apply", "-auto-approve")
	var stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = writer, &stderr
	if err := cmd.Run(); cmd.ProcessState.ExitCode() != 1 {
		t.Errorf("btplan ended with %v", err)
	}
	if !strings.Contains(stderr.String(), "Output lost") {
		t.Errorf("printed: %s", &stderr)
	}
	if raw, err := os.ReadFile(filepath.Join(dir, "home.simulated.json")); err != nil || !strings.Contains(string(raw), "6881") {
		t.Errorf("the apply was not finished: %v\n%s", err, raw)
	}
}

// Hanging up asks to end, as Ctrl-C does.
func TestHangUp(t *testing.T) {
	cmd, _ := command(t, "apply")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stdin.Close() }()
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer kill.Stop()
	var printed bytes.Buffer
	buffer := make([]byte, 4096)
	for hungUp := false; ; {
		n, err := stdout.Read(buffer)
		printed.Write(buffer[:n])
		if !hungUp && strings.Contains(printed.String(), "Enter a value:") {
			hungUp = true
			if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
				t.Fatal(err)
			}
		}
		if err != nil {
			break
		}
	}
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != 1 || !strings.Contains(printed.String(), "Apply cancelled.") {
		t.Errorf("btplan ended with %v, after:\n%s", err, &printed)
	}
}
