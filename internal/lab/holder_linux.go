package lab

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
)

// holderEnv is set in the environment of a process that is to be a holder: a
// host's process 1, for as long as its standard input is open. The value is
// the host's name.
const holderEnv = "BTPLAN_LAB_HOLDER"

// againEnv is set in the environment of a holder whose host was there before,
// and has its mounts: only what is of memory is made anew.
const againEnv = "BTPLAN_LAB_AGAIN"

// readyLine is what a holder prints when its host can be used.
const readyLine = "ready\n"

// hold furnishes the namespaces that this process was started in, says so on
// standard output, and stays until the test process lets go of the other end
// of its standard input. Its exit code is the result.
func hold(hostname string) int {
	// The processes of the host whose parents ended become children of this
	// one. The kernel buries those of a parent that ignores their end.
	signal.Ignore(unix.SIGCHLD, unix.SIGHUP, unix.SIGTERM)
	if err := furnish(hostname, os.Getenv(againEnv) != ""); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Print(readyLine)
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// furnish makes of fresh namespaces a host: files of its own, a name, and a
// loopback interface that is up.
func furnish(hostname string, again bool) error {
	if err := mountAll(again); err != nil {
		return err
	}
	if err := unix.Sethostname([]byte(hostname)); err != nil {
		return fmt.Errorf("set the host name: %w", err)
	}
	files := map[string]string{
		// Addresses are chosen by hand here: looking for another that has
		// the same would keep them from being used for a second.
		"/proc/sys/net/ipv6/conf/all/accept_dad":       "0",
		"/proc/sys/net/ipv6/conf/default/accept_dad":   "0",
		"/proc/sys/net/ipv6/conf/all/disable_ipv6":     "0",
		"/proc/sys/net/ipv6/conf/default/disable_ipv6": "0",
	}
	if !again {
		files["/etc/hostname"] = hostname + "\n"
		files["/etc/hosts"] = "127.0.0.1 localhost " + hostname + "\n::1 localhost\n"
	}
	for path, content := range files {
		// #nosec G306 -- these are the usual modes of these files.
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			return err
		}
	}
	return upLoopback()
}

// mounts make the file systems of a host, in this order.
var mounts = []struct {
	source, target, kind string
	flags                uintptr
	data                 string
	dirs                 []string // made afterwards
	memory               bool     // a restart makes it anew
}{
	// Nothing from here on is seen outside.
	{target: "/", flags: unix.MS_REC | unix.MS_PRIVATE},
	// A mistake in a test can't harm this computer.
	{source: os.TempDir(), target: os.TempDir(), flags: unix.MS_BIND},
	{target: "/", flags: unix.MS_REMOUNT | unix.MS_BIND | unix.MS_RDONLY},
	{target: "/proc", kind: "proc", flags: unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC, memory: true},
	{target: "/sys", kind: "sysfs", flags: unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC, memory: true},
	// The first /run keeps what is written to /etc and /var, and the second
	// hides it. Its directories are those that boot scripts would have made.
	{target: "/run", kind: "tmpfs", data: "mode=755", dirs: []string{"/run/etc", "/run/etc.work", "/run/var", "/run/var.work"}},
	{target: "/etc", kind: "overlay", data: "lowerdir=/etc,upperdir=/run/etc,workdir=/run/etc.work"},
	{target: "/var", kind: "overlay", data: "lowerdir=/var,upperdir=/run/var,workdir=/run/var.work"},
	{target: "/run", kind: "tmpfs", data: "mode=755", dirs: []string{"/run/lock", "/run/sshd"}, memory: true},
	{target: "/root", kind: "tmpfs", data: "mode=700"},
}

// mountAll gives the host file systems of its own. If it has them already, it
// is given only those of memory again.
func mountAll(again bool) error {
	for _, m := range mounts {
		if again {
			if !m.memory {
				continue
			}
			if err := unix.Unmount(m.target, unix.MNT_DETACH); err != nil {
				return fmt.Errorf("unmount %s: %w", m.target, err)
			}
		}
		if err := unix.Mount(m.source, m.target, m.kind, m.flags, m.data); err != nil {
			return fmt.Errorf("mount %s %s (flags %#x): %w", m.kind, m.target, m.flags, err)
		}
		for _, dir := range m.dirs {
			if err := os.Mkdir(dir, 0o755); err != nil { // #nosec G301 -- the usual mode of these directories
				return err
			}
		}
	}
	return nil
}

// upLoopback is `ip link set lo up`.
func upLoopback() error {
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("loopback: %w", err)
	}
	request, err := unix.NewIfreq("lo")
	if err == nil {
		request.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
		err = unix.IoctlIfreq(socket, unix.SIOCSIFFLAGS, request)
	}
	if err := errors.Join(err, unix.Close(socket)); err != nil {
		return fmt.Errorf("loopback: %w", err)
	}
	return nil
}
