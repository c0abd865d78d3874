//go:build linux

package lab

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// SawRules gives a channel that is closed as soon as a change to the host's nft
// rules that names this table, chain or set is in force. The rules of
// iptables-nft are such rules, those of iptables-legacy aren't.
func (h *Host) SawRules(name string) <-chan struct{} {
	h.lab.t.Helper()
	events, err := h.ruleEvents()
	if err != nil {
		h.lab.t.Fatalf("lab: %s: watch the rules: %v", h.Name, err)
	}
	h.keep(events)
	seen := make(chan struct{})
	h.lab.watches.Go(func() {
		select {
		case <-seen:
		case <-h.lab.gone:
		}
		_ = events.Close() // it was only read
	})
	h.lab.watches.Go(func() {
		buf := make([]byte, 1<<16)
		for {
			n, err := events.Read(buf)
			if errors.Is(err, unix.ENOBUFS) {
				continue // too much at once; of the names some come again
			}
			if err != nil {
				return // closed
			}
			// Names are sent as strings with a zero at the end.
			if bytes.Contains(buf[:n], []byte(name+"\x00")) {
				close(seen)
				return
			}
		}
	})
	return seen
}

// ruleEvents opens what `nft monitor` reads. The kernel sends it when a
// transaction has been committed.
func (h *Host) ruleEvents() (*os.File, error) {
	var events *os.File
	err := enter(h.pidfd, unix.CLONE_NEWNET, func() error {
		socket, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_NETFILTER)
		if err != nil {
			return err
		}
		events = os.NewFile(uintptr(socket), "nft events")
		return errors.Join(
			unix.SetsockoptInt(socket, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 1<<22),
			unix.Bind(socket, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: 1 << (unix.NFNLGRP_NFTABLES - 1)}))
	})
	return events, err
}

// fileInterval is how often [Host.SawFile] looks.
const fileInterval = time.Millisecond

// SawFile gives a channel that is closed within a few milliseconds of the
// appearance of a file of the host. It looks until the lab goes.
func (h *Host) SawFile(path string) <-chan struct{} {
	h.lab.t.Helper()
	var root *os.File
	err := h.Enter(func() (err error) {
		root, err = os.Open("/")
		return err
	})
	if err != nil {
		h.lab.t.Fatalf("lab: %s: %v", h.Name, err)
	}
	seen := make(chan struct{})
	h.lab.watches.Go(func() {
		defer func() { _ = root.Close() }() // it was only read
		tick := time.NewTicker(fileInterval)
		defer tick.Stop()
		for {
			there, err := isFile(root, path)
			if err != nil {
				h.lab.t.Errorf("lab: %s: %v", h.Name, err)
				return
			}
			if there {
				close(seen)
				return
			}
			select {
			case <-tick.C:
			case <-h.lab.gone:
				return
			}
		}
	})
	return seen
}

// isFile tells whether there is a file below root, whatever links are on the
// way.
func isFile(root *os.File, path string) (bool, error) {
	file, err := unix.Openat2(int(root.Fd()), strings.TrimPrefix(path, "/"),
		&unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT})
	switch {
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.EAGAIN): // EAGAIN: something was renamed on the way
		return false, nil
	case err != nil:
		return false, fmt.Errorf("look for %s: %w", path, err)
	}
	return true, unix.Close(file)
}
