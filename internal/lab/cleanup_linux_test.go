package lab

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// endEnv tells a test process that was started by TestNothingStays how to end.
const endEnv = "BTPLAN_LAB_TEST_END"

// TestNothingStays starts itself, so that the process that has the lab can
// end in all the ways there are.
func TestNothingStays(t *testing.T) {
	if how := os.Getenv(endEnv); how != "" {
		endWith(t, how)
		return
	}
	Need(t, "ip", "nft", "sshd")
	for _, how := range []string{"return", "fail", "panic", "panic elsewhere", "exit", "SIGKILL"} {
		t.Run(how, func(t *testing.T) {
			outside := rootState(t)
			cmd := exec.Command("/proc/self/exe", "-test.run=^TestNothingStays$")
			cmd.Env = append(os.Environ(), endEnv+"="+how)
			stdin, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			stdout, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			cmd.Stderr = cmd.Stdout
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewScanner(stdout)
			var holders []int
			namespaces := map[string]bool{}
			for lines.Scan() && lines.Text() != "built" {
				if pid, found := strings.CutPrefix(lines.Text(), "holder "); found {
					holders = append(holders, openPid(t, pid))
				} else {
					namespaces[lines.Text()] = true
				}
			}
			if len(holders) != 6 || len(namespaces) != 6*5+1 {
				t.Fatalf("the child has %d holders and %d namespaces: %v", len(holders), len(namespaces), namespaces)
			}
			before := members(t, namespaces)
			if len(before) < 1+6+4 { // the child, the holders, sshd and those started below
				t.Fatalf("in the namespaces are only %v", before)
			}
			if how == "SIGKILL" {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
			if err := stdin.Close(); err != nil {
				t.Fatal(err)
			}
			rest, _ := io.ReadAll(stdout) // what it says matters only if it ended wrongly
			if err := cmd.Wait(); (err == nil) != (how == "return") {
				t.Errorf("the child ended with %v:\n%s", err, rest)
			}
			for _, holder := range holders {
				awaitEnd(t, holder)
			}
			// The numbers of namespaces are given again: another lab may
			// have them by now.
			for process, link := range members(t, namespaces) {
				if before[process] != "" {
					t.Errorf("left behind: %s, whose %s", process, link)
				}
			}
			if after := rootState(t); after != outside {
				t.Errorf("the root namespaces are\n%s\nand were\n%s", after, outside)
			}
		})
	}
}

// endWith builds a lab in which much goes on, prints the process of each
// host's holder and all the namespaces, and ends as told when its standard
// input ends.
func endWith(t *testing.T, how string) {
	n := NewNAT(t)
	n.Seedbox.Listen("tcp", 6881)
	n.Seedbox.Listen("udp", 6881)
	n.Seedbox.Start("sleep", "600")
	n.Control.Sh("(sleep 600 >/dev/null 2>&1 &)")
	if err := n.Desktop.Command(t.Context(), "sleep", "600").Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := n.Desktop.Dial("tcp", SeedboxLAN+":6881", Patient); err != nil {
		t.Fatal(err)
	}
	n.Stranger.Restart("(sleep 600 >/dev/null 2>&1 &)")
	n.CutSSH(n.Gateway.SawRules("btplan"))
	paths := []string{fmt.Sprintf("/proc/self/fd/%d", n.wire.Fd())}
	for _, h := range n.hosts {
		fmt.Println("holder", h.holder.Process.Pid)
		for _, kind := range []string{"net", "mnt", "pid", "uts", "ipc"} {
			paths = append(paths, fmt.Sprintf("/proc/%d/ns/%s", h.holder.Process.Pid, kind))
		}
	}
	for _, path := range paths {
		namespace, err := os.Readlink(path)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Println(namespace)
	}
	fmt.Println("built")
	if _, err := io.ReadAll(os.Stdin); err != nil {
		t.Fatal(err)
	}
	switch how {
	case "fail":
		t.Fatal("as told")
	case "panic":
		panic("as told")
	case "panic elsewhere":
		go panic("as told")
		select {}
	case "exit":
		os.Exit(3)
	}
}

// openPid gives a pidfd, which stands for the process even when its number is
// taken by another.
func openPid(t *testing.T, text string) int {
	t.Helper()
	pid, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	return fd
}

// awaitEnd waits until the process of a pidfd ends, and closes it.
func awaitEnd(t *testing.T, pidfd int) {
	t.Helper()
	poll := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}
	n, err := unix.Poll(poll, int(Patient.Milliseconds()))
	for err == unix.EINTR {
		n, err = unix.Poll(poll, int(Patient.Milliseconds()))
	}
	if n != 1 || err != nil {
		t.Errorf("a holder did not end in %v: %v", Patient, err)
	}
	if err := unix.Close(pidfd); err != nil {
		t.Error(err)
	}
}

// members lists the processes, as their number and when they started, that are
// in one of the namespaces or keep one from going, and by what. A process that
// has ended is not among them, though its parent may be slow to see it: one
// whose parent ended before it belongs to the system's process 1.
func members(t *testing.T, namespaces map[string]bool) map[string]string {
	t.Helper()
	processes, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, process := range processes {
		stat, err := os.ReadFile(process + "/stat")
		if err != nil {
			continue // it has ended since
		}
		// proc_pid_stat(5): the third field, after the name in brackets, is
		// the state, the 22nd the time of the start.
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		if fields[0] == "Z" {
			continue
		}
		for _, pattern := range []string{"/ns/*", "/task/*/ns/*", "/fd/*"} {
			links, err := filepath.Glob(process + pattern)
			if err != nil {
				t.Fatal(err)
			}
			for _, link := range links {
				if target, err := os.Readlink(link); err == nil && namespaces[target] {
					found[process+" started "+fields[19]] = link + " is " + target
				}
			}
		}
	}
	return found
}

// rootState tells of all in the root namespaces that a lab could touch.
func rootState(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("sh", "-euc", `
		PATH=`+searchPath+`
		ip -o link; ip -o addr show scope global; ip route; nft list ruleset
		cat /proc/self/mountinfo; hostname; cksum /etc/hosts /etc/hostname /etc/passwd
		cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding /proc/sys/net/ipv6/conf/all/accept_dad`).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}
