//go:build linux

package lab

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// openWrtApplets are the tools of OpenWrt's busybox that a script could use:
// what its package/utils/busybox/Config-defaults.in switches on. Among what it
// lacks are nohup, timeout, stat, setsid, hostname and realpath. Its flock,
// which Debian's busybox lacks, is [flockScript].
var openWrtApplets = strings.Fields(`
	[ [[ ash awk basename brctl cat chgrp chmod chown chroot clear cmp cp cut
	date dd df dirname dmesg du echo egrep env expr false fgrep find free fsync
	grep gunzip gzip head hexdump id ifconfig ip kill killall less ln logger ls
	md5sum mkdir mkfifo mknod mktemp mount mv nc netstat nice nslookup passwd
	pgrep pidof ping ping6 printf ps pwd readlink reset rm rmdir route sed seq
	sh sha256sum sleep sort start-stop-daemon strings sync sysctl tail tar
	taskset tee test time top touch tr traceroute traceroute6 true umount uname
	uniq uptime vi wc which xargs yes zcat`)

// flockScript is flock(1) with no options but those of busybox's.
const flockScript = `#!/bin/sh
for option; do
	case $option in
	--* | -*[!sxun]*) echo "flock: unrecognized option: $option" >&2; exit 1 ;;
	-*) ;;
	*) break ;;
	esac
done
exec /usr/local/lib/flock "$@"
`

// The file system with the tools of such a host is mounted here: programs in
// its directory lib, and their names, the applets' and others, in bin.
const ownTools = "/usr/local"

// beOpenWrt leaves the host no tools but those of OpenWrt: the applets of its
// busybox and, as far as this computer has them, nft, conntrack, ip, dropbear
// and all of iptables, and of all these none of the names in without. The
// directories of programs hold just them, over a restart too. /bin/sh and
// root's shell are busybox ash. What runs already isn't touched.
func (h *Host) beOpenWrt(without []string) error {
	busybox, err := exec.Command(find("busybox"), "--list").Output() // #nosec G204 -- a program of the system
	if err != nil {
		return fmt.Errorf("busybox --list: %w", err)
	}
	programs, err := realTools(without)
	if err != nil {
		return err
	}
	var applets []string
	for _, applet := range openWrtApplets {
		if programs[applet] == "" && !slices.Contains(without, applet) {
			applets = append(applets, applet)
		}
	}
	applets, binary, err := fewerApplets(find("busybox"), strings.Fields(string(busybox)), applets)
	if err != nil {
		return err
	}
	return h.Enter(func() error {
		content := map[string][]byte{"busybox": binary}
		for _, path := range append(slices.Collect(maps.Values(programs)), find("flock")) {
			if content[filepath.Base(path)], err = os.ReadFile(path); err != nil {
				return err
			}
		}
		if err := unix.Mount("tools", ownTools, "tmpfs", 0, "mode=755"); err != nil {
			return fmt.Errorf("mount %s: %w", ownTools, err)
		}
		for name, program := range content {
			if err := writeTool("lib/"+name, program); err != nil {
				return err
			}
		}
		for _, applet := range applets {
			programs[applet] = "busybox"
		}
		return errors.Join(linkTools(programs, without), mountTools(), ashForRoot())
	})
}

// realTools gives the files of those programs that aren't busybox's, by name.
func realTools(without []string) (map[string]string, error) {
	names := []string{"nft", "conntrack", "ip", "dropbear"}
	for _, dir := range filepath.SplitList(searchPath) {
		found, err := filepath.Glob(dir + "/ip*tables*")
		if err != nil {
			return nil, err
		}
		for _, path := range found {
			names = append(names, filepath.Base(path))
		}
	}
	programs := map[string]string{}
	for _, name := range names {
		path := find(name)
		if !filepath.IsAbs(path) || slices.Contains(without, name) {
			continue
		}
		// iptables has one program of many names.
		path, err := filepath.EvalSymlinks(path)
		if err != nil {
			return nil, err
		}
		programs[name] = path
	}
	return programs, nil
}

// fewerApplets gives busybox with only those applets that are wanted, and
// which of these it has. Debian's ash runs the applets of its own program
// without looking for them in PATH, so the others must not have their names:
// in the program's sorted list, each gets another name of the same length. A
// search for one that is wanted goes as before.
func fewerApplets(path string, all, wanted []string) (applets []string, program []byte, err error) {
	program, err = os.ReadFile(path)
	if err != nil {
		return nil, nil, err
	}
	list := strings.Join(all, "\x00") + "\x00"
	at := bytes.Index(program, []byte(list))
	if at < 0 {
		return nil, nil, fmt.Errorf("%s has no list of its applets", path)
	}
	before := ""
	for i, name := range all {
		if slices.Contains(wanted, name) {
			applets = append(applets, name)
			before = name
		} else {
			next := "\x7f"
			if j := slices.IndexFunc(all[i:], func(name string) bool { return slices.Contains(wanted, name) }); j >= 0 {
				next = all[i+j]
			}
			copy(program[at:], otherName(before, name, next))
		}
		at += len(name) + 1
	}
	return applets, program, nil
}

// otherName gives another name that is as long as name and sorts between the
// two others too. There may be none for a name of one letter, which then stays.
func otherName(before, name, next string) string {
	last := len(name) - 1
	for c := byte('!'); c < 0x7f; c++ {
		other := name[:last] + string(rune(c))
		if before < other && other < next && other != name {
			return other
		}
	}
	return name
}

// linkTools gives the programs, which are files by name, these names.
func linkTools(programs map[string]string, without []string) error {
	for name, path := range programs {
		if err := os.MkdirAll(ownTools+"/bin", 0o755); err != nil { // #nosec G301 -- the usual mode of this directory
			return err
		}
		if err := os.Symlink(ownTools+"/lib/"+filepath.Base(path), ownTools+"/bin/"+name); err != nil {
			return err
		}
	}
	if slices.Contains(without, "flock") {
		return nil
	}
	return writeTool("bin/flock", []byte(flockScript))
}

func writeTool(name string, program []byte) error {
	path := filepath.Join(ownTools, name)
	// #nosec G301 G306 -- these are the usual modes of programs.
	return errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, program, 0o755))
}

// mountTools puts the tools in place of all that were there. /bin may be a
// link to /usr/bin, which is then done already.
func mountTools() error {
	for _, dir := range []string{"/usr/bin", "/usr/sbin", "/bin", "/sbin", "/usr/local/sbin"} {
		if info, err := os.Lstat(dir); err != nil || !info.IsDir() {
			continue
		}
		if err := unix.Mount(ownTools+"/bin", dir, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("mount %s: %w", dir, err)
		}
	}
	return nil
}

// ashForRoot makes busybox ash root's shell.
func ashForRoot() error {
	users, err := os.ReadFile("/etc/passwd")
	if err != nil {
		return err
	}
	lines := strings.Split(string(users), "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, "root:") {
			lines[i] = line[:strings.LastIndex(line, ":")] + ":/bin/ash"
		}
	}
	// #nosec G306 -- these are the usual modes of these files.
	return errors.Join(
		os.WriteFile("/etc/passwd", []byte(strings.Join(lines, "\n")), 0o644),
		os.WriteFile("/etc/shells", []byte("/bin/ash\n"), 0o644))
}
