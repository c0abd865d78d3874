// Package boot makes rules last over a reboot: by a script that loads them, and
// whatever the device has that runs a script at boot. To save all the rules
// that there are, as netfilter-persistent does, would be to save those of
// others too.
package boot

import (
	"crypto/sha256"
	"fmt"
	"strings"

	"github.com/btplan/btplan/internal/script"
	"github.com/btplan/btplan/providers"
)

const dir = "/etc/btplan"

// Script is what loads the rules of one project on one device.
type Script struct {
	Name    string // names its files, apart from all other scripts': "home"
	Project string // whose rules they are
	What    string // what they are: "Port forwards"
}

// initSystem is what runs a script at boot.
type initSystem string

const (
	systemd initSystem = "systemd"
	openRC  initSystem = "openrc"   // its service local runs /etc/local.d/*.start
	rcLocal initSystem = "rc.local" // System V's, and OpenWrt's
	noInit  initSystem = "none"
)

// State is what a device told of what it will do at its next boot.
type State struct {
	init    initSystem
	enabled bool   // our script is run
	sum     string // checksums of our script and unit, as far as they are there, or "missing"; empty if it can't tell
}

func (s Script) path() string      { return dir + "/" + s.Name + ".sh" }
func (s Script) unit() string      { return "btplan-" + s.Name + ".service" }
func (s Script) unitPath() string  { return "/etc/systemd/system/" + s.unit() }
func (s Script) localPath() string { return "/etc/local.d/btplan-" + s.Name + ".start" }
func (s Script) wantPath() string {
	return "/etc/systemd/system/multi-user.target.wants/" + s.unit()
}

// mark ends our line in rc.local.
func (s Script) mark() string { return "# btplan:" + s.Name }

// Section is the commands that print what Parse reads, as the section "boot".
// The shell itself looks through rc.local, which is short: a program would take
// longer to start.
func (s Script) Section() string {
	return fmt.Sprintf(`section boot
if [ -d /run/systemd/system ]; then
	echo %s
	[ -e %s ] && echo enabled
elif [ -d /etc/local.d ]; then
	echo %s
	[ -x %s ] && echo enabled
elif [ -f /etc/rc.local ]; then
	echo %s
	while IFS= read -r line || [ "$line" ]; do
		case $line in *%s) echo enabled; break ;; esac
	done </etc/rc.local
else
	echo %s
fi
if ! [ -e %s ]; then
	echo missing
elif command -v sha256sum >/dev/null; then
	sha256sum %s %s 2>/dev/null
fi
`, systemd, s.wantPath(), openRC, s.localPath(),
		rcLocal, "'"+s.mark()+"'", noInit, s.path(), s.path(), s.unitPath())
}

// Parse reads the section.
func Parse(section []byte) State {
	b := State{init: noInit}
	for line := range strings.Lines(string(section)) {
		word, _, _ := strings.Cut(strings.TrimSpace(line), " ") // behind a checksum stands the file's name
		switch {
		case word == string(systemd), word == string(openRC), word == string(rcLocal):
			b.init = initSystem(word)
		case word == "enabled":
			b.enabled = true
		case word == "missing", len(word) == 2*sha256.Size:
			b.sum += word
		}
	}
	return b
}

// Text spells the script. load is the body of a function: the commands that
// load the rules, whatever there is. They say "|| return" where a failure is
// one.
func (s Script) Text(load string) string {
	return fmt.Sprintf(`#!/bin/sh
# Made by btplan for its project %s, which will write it again: don't edit.
%s%sload() {
%s}
load
`, s.Project, script.Head, script.Lock, load)
}

// unitText is the service that runs the script: after those that load other
// people's rules, and again whenever they do.
func (s Script) unitText() string {
	const managers = "nftables.service netfilter-persistent.service iptables.service"
	return fmt.Sprintf(`# Made by btplan, which will write it again: don't edit.
[Unit]
Description=%s of btplan's project %s
After=%s firewalld.service ufw.service docker.service
PartOf=%s
ReloadPropagatedFrom=%s

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh %s
ExecReload=/bin/sh %s

[Install]
WantedBy=multi-user.target
`, s.What, s.Project, managers, managers, managers, s.path(), s.path())
}

// Holds says whether the device will run this script, with this text, at its
// next boot.
func (s Script) Holds(now State, text string) bool {
	if now.init == noInit {
		return true // it won't, but nothing can be done about it: see State.Problems
	}
	if !now.enabled {
		return false
	}
	want := checksum(text)
	if now.init == systemd {
		want += checksum(s.unitText())
	}
	return now.sum == "" || now.sum == want
}

// checksum is what sha256sum prints for a file that holds text, without the
// file's name.
func checksum(text string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(text))) }

// Problems tells that the rules won't last, for a device that goes by this
// name: "gateway".
func (b State) Problems(noun string) []providers.Problem {
	if b.init != noInit {
		return nil
	}
	return []providers.Problem{{
		Summary: "Rules won't last over a reboot",
		Detail:  fmt.Sprintf("The %s has none of what btplan knows to run a script at boot: systemd, OpenRC's /etc/local.d, or an /etc/rc.local. After a reboot, apply again. If /etc/rc.local would be run here, make an empty one.", noun),
		OfRules: true,
	}}
}

// Returning tells of a device that holds nothing of ours any more, but will run
// the script at its next boot.
func (s Script) Returning(now State, noun string) []providers.Problem {
	if !now.enabled || now.sum == "missing" {
		return nil
	}
	return []providers.Problem{{
		Summary: "Rules that are gone come back at the next boot",
		Detail:  fmt.Sprintf("The %s holds no rule of this project, but %s, which it runs at boot, makes those that were there last. btplan apply writes it anew; if none are wanted any more, run btplan destroy after that.", noun, s.path()),
	}}
}
