//go:build !unix

package remote

import (
	"os"
	"os/exec"
)

// ownGroup does nothing: process groups are a thing of Unix.
func ownGroup(*exec.Cmd) {}

// exitOf says how a process ended.
func exitOf(state *os.ProcessState) (code int, signal string) { return state.ExitCode(), "" }
