//go:build linux

package lab

import (
	"errors"
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// everything is the kinds of namespace that a host has.
const everything = unix.CLONE_NEWNS | unix.CLONE_NEWNET | unix.CLONE_NEWPID | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC

// Enter calls do on a thread inside the host: what it opens by path is the
// host's file, a socket it makes is on the host's network, a process it starts
// is one of the host's. Sockets and files stay what they are when they are
// used outside later. Beware: a goroutine that do starts is outside, and so is
// what it opens and starts, on this computer itself.
func (h *Host) Enter(do func() error) error { return enter(h.pidfd, everything, do) }

// enter calls do on a thread in those namespaces of the given kinds that fd, a
// pidfd or a file of a namespace, stands for. See setns(2).
func enter(fd, kinds int, do func() error) error {
	return onOwnThread(func() error {
		// Threads share one current directory until this, and then can't
		// enter mounts.
		if err := unix.Unshare(unix.CLONE_FS); err != nil {
			return fmt.Errorf("unshare: %w", err)
		}
		if err := unix.Setns(fd, kinds); err != nil {
			return fmt.Errorf("enter namespaces: %w", err)
		}
		return do()
	})
}

// onOwnThread calls do on a thread that nothing else runs on, then or later.
func onOwnThread(do func() error) error {
	done := make(chan error, 1)
	go func() {
		// A goroutine that ends while it is locked to its thread takes the
		// thread with it.
		runtime.LockOSThread()
		err := errors.New("the function ended its goroutine")
		defer func() { done <- err }()
		if unix.Gettid() == unix.Getpid() {
			// The main thread can't end, and would hold the namespaces for
			// good. While it is locked here, do gets another.
			defer runtime.UnlockOSThread()
			err = onOwnThread(do)
			return
		}
		err = do()
	}()
	return <-done
}
