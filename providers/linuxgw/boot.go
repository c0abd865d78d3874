package linuxgw

import (
	"crypto/sha256"
	"fmt"
	"strings"

	"github.com/btplan/btplan/providers"
)

// What makes the rules last over a reboot: a script of our own that loads
// them, and whatever the gateway has that runs a script at boot. Saving all
// the rules that there are, as netfilter-persistent does, would save those of
// others too.
const bootDir = "/etc/btplan"

// initSystem is what runs a script at boot.
type initSystem string

const (
	systemd initSystem = "systemd"
	openRC  initSystem = "openrc"   // its service local runs /etc/local.d/*.start
	rcLocal initSystem = "rc.local" // System V's, and OpenWrt's
	noInit  initSystem = "none"
)

// boot is what a gateway told of what it will do at its next boot.
type boot struct {
	init    initSystem
	enabled bool   // our script is run
	sum     string // checksums of our script and unit, as far as they are there, or "missing"; empty if it can't tell
}

func bootScriptPath(project string) string { return bootDir + "/" + project + ".sh" }
func bootUnit(project string) string       { return "btplan-" + project + ".service" }
func bootUnitPath(project string) string   { return "/etc/systemd/system/" + bootUnit(project) }
func bootWantPath(project string) string {
	return "/etc/systemd/system/multi-user.target.wants/" + bootUnit(project)
}
func bootLocalPath(project string) string { return "/etc/local.d/btplan-" + project + ".start" }

// bootMark ends our line in rc.local.
func bootMark(project string) string { return "# btplan:" + project }

// bootSection spells the commands that print what parseBoot reads.
func bootSection(project string) string {
	return fmt.Sprintf(`section boot
if [ -d /run/systemd/system ]; then
	echo %s
	[ -e %s ] && echo enabled
elif [ -d /etc/local.d ]; then
	echo %s
	[ -x %s ] && echo enabled
elif [ -f /etc/rc.local ]; then
	echo %s
	grep -q %s /etc/rc.local && echo enabled
else
	echo %s
fi
if ! [ -e %s ]; then
	echo missing
elif command -v sha256sum >/dev/null; then
	sha256sum %s %s 2>/dev/null
fi
`, systemd, bootWantPath(project), openRC, bootLocalPath(project),
		rcLocal, "'"+bootMark(project)+"$'", noInit, bootScriptPath(project), bootScriptPath(project), bootUnitPath(project))
}

func parseBoot(section []byte) boot {
	b := boot{init: noInit}
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

// bootScript spells the script that makes the gateway hold these entries at
// boot.
func (s *state) bootScript(entries []entry, generation string) string {
	return fmt.Sprintf(`#!/bin/sh
# Made by btplan for its project %s, which will write it again: don't edit.
%s%sload() {
%s}
load
`, s.project, scriptHead, lock, s.load(entries, generation))
}

// unit is the service that runs the boot script: after those that load other
// people's rules, and again whenever they do.
func unit(project string) string {
	const managers = "nftables.service netfilter-persistent.service iptables.service"
	return fmt.Sprintf(`# Made by btplan, which will write it again: don't edit.
[Unit]
Description=Port forwards of btplan's project %s
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
`, project, managers, managers, managers, bootScriptPath(project), bootScriptPath(project))
}

// saved says whether the gateway will hold at its next boot what it holds
// now.
func (s *state) saved(entries []entry) bool {
	if s.boot.init == noInit {
		return true // not saved, but nothing can be done about it: see bootProblem
	}
	if !s.boot.enabled {
		return false
	}
	want := checksum(s.bootScript(entries, s.generation))
	if s.boot.init == systemd {
		want += checksum(unit(s.project))
	}
	return s.boot.sum == "" || s.boot.sum == want
}

// checksum is what sha256sum prints for a file that holds text, without the
// file's name.
func checksum(text string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(text))) }

// saveScript spells what makes these entries last, or what removes all trace
// of that when there are none. It ends with a code other than 0 when it can't.
func (s *state) saveScript(entries []entry, generation, tag string) string {
	if s.boot.init == noInit {
		return ""
	}
	var b strings.Builder
	if len(entries) == 0 {
		s.forget(&b)
		return b.String()
	}
	fmt.Fprintf(&b, "mkdir -p %s && ", bootDir)
	s.replaceFile(&b, bootScriptPath(s.project), "700", s.bootScript(entries, generation), tag)
	switch s.boot.init {
	case systemd:
		// Started, so that a restart of the others restarts it too. That loads
		// the rules that are there already once more.
		fmt.Fprintf(&b, "if ! [ -e %s ] || ! [ \"$(cat %s 2>/dev/null)\" = \"$(cat %s", bootWantPath(s.project), bootUnitPath(s.project), heredoc(unit(s.project), tag))
		b.WriteString(")\" ]; then\n")
		s.replaceFile(&b, bootUnitPath(s.project), "644", unit(s.project), tag)
		fmt.Fprintf(&b, "systemctl daemon-reload && systemctl --quiet enable %s && systemctl start %s || exit\nfi\n", bootUnit(s.project), bootUnit(s.project))
	case openRC:
		fmt.Fprintf(&b, "ln -sf %s %s || exit\n", bootScriptPath(s.project), bootLocalPath(s.project))
		b.WriteString("if command -v rc-update >/dev/null; then rc-update -q add local default || exit; fi\n")
	case rcLocal:
		line := "sh " + bootScriptPath(s.project) + " " + bootMark(s.project)
		fmt.Fprintf(&b, `if ! grep -q '%s$' /etc/rc.local; then
	{ sed '/^exit 0/,$d' /etc/rc.local && echo '%s' && sed -n '/^exit 0/,$p' /etc/rc.local; } >/etc/rc.local.btplan &&
	cat /etc/rc.local.btplan >/etc/rc.local && rm /etc/rc.local.btplan || exit
fi
`, bootMark(s.project), line)
	}
	return b.String()
}

// unsaved is why rules are written again that are in force, but will not be
// after the next boot.
const unsaved = "it isn't saved as it is for the next boot"

// nowSaved takes note that what is in force has been saved.
func (s *state) nowSaved() {
	for i := range s.rules {
		if s.rules[i].Outdated == unsaved {
			s.rules[i].Outdated = ""
		}
	}
}

// replaceFile spells what writes a file as a whole or not at all.
func (s *state) replaceFile(b *strings.Builder, path, mode, content, tag string) {
	fmt.Fprintf(b, "cat >%s.new %s", path, heredoc(content, tag))
	fmt.Fprintf(b, "chmod %s %s.new && mv %s.new %s || exit\n", mode, path, path, path)
}

// forget spells what removes everything that saveScript has made.
func (s *state) forget(b *strings.Builder) {
	switch s.boot.init {
	case systemd:
		fmt.Fprintf(b, `if [ -e %s ]; then
	systemctl --quiet disable %s
	rm -f %s && systemctl daemon-reload || exit
fi
`, bootUnitPath(s.project), bootUnit(s.project), bootUnitPath(s.project))
	case openRC:
		fmt.Fprintf(b, "rm -f %s || exit\n", bootLocalPath(s.project))
	case rcLocal:
		fmt.Fprintf(b, `if grep -q '%s$' /etc/rc.local; then
	sed '/%s$/d' /etc/rc.local >/etc/rc.local.btplan &&
	cat /etc/rc.local.btplan >/etc/rc.local && rm /etc/rc.local.btplan || exit
fi
`, bootMark(s.project), bootMark(s.project))
	}
	fmt.Fprintf(b, "rm -f %s || exit\nrmdir %s 2>/dev/null\n", bootScriptPath(s.project), bootDir)
}

// bootProblem tells that the rules won't last.
func bootProblem(b boot) []providers.Problem {
	if b.init != noInit {
		return nil
	}
	return []providers.Problem{{
		Summary: "Rules won't last over a reboot",
		Detail:  "The gateway has none of what btplan knows to run a script at boot: systemd, OpenRC's /etc/local.d, or an /etc/rc.local. After a reboot, apply again. If /etc/rc.local would be run here, make an empty one.",
	}}
}
