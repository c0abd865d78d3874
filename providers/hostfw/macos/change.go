package macos

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/btplan/btplan/internal/remote"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers/hostfw/host"
)

// addedNote begins the line of our file that says which program the application
// firewall was told of by us.
const addedNote = "# btplan let in by the application firewall: "

// added is the program that was noted so; "": none.
func (m *macos) added() string {
	for line := range strings.Lines(string(m.file)) {
		if program, found := strings.CutPrefix(strings.TrimSuffix(line, "\n"), addedNote); found && strings.HasPrefix(program, "/") {
			return program
		}
	}
	return ""
}

// Change writes our file, of which pf is asked first whether it can be loaded.
func (m *macos) Change(after host.Owned) string {
	var b strings.Builder
	b.WriteString(appFirewall)
	added := m.added()
	// The application firewall is for what comes in.
	opens := slices.ContainsFunc(after.Rules(), func(r plan.Rule) bool { return r.Kind == plan.Allow })
	adds := opens && m.program != "" && m.app.on && !m.app.lets(m.program)
	if added != "" && (!opens || added != m.program) {
		fmt.Fprintf(&b, "\"$appfw\" --remove %s >/dev/null || return\n", remote.Quote(added))
		added = ""
	}
	if adds {
		fmt.Fprintf(&b, "\"$appfw\" --add %[1]s >/dev/null || return\n\"$appfw\" --unblockapp %[1]s >/dev/null || return\n", remote.Quote(m.program))
		added = m.program
	}
	file, plist, anchor := file(m.project), plist(m.project), anchor(m.project)
	if len(after) == 0 {
		if len(m.loaded) > 0 {
			fmt.Fprintf(&b, "pfctl -q -a %s -F rules || return\n", anchor)
		}
		fmt.Fprintf(&b, "rm -f %s %s || return\nrmdir /etc/btplan 2>/dev/null || :\n", file, plist)
		return b.String()
	}
	var lines strings.Builder
	lines.WriteString("# The rules of btplan's project " + m.project + ", as pf.conf(5) has them. btplan changes them back.\n")
	if added != "" {
		lines.WriteString(addedNote + added + "\n")
	}
	for _, owner := range slices.SortedFunc(maps.Keys(after), plan.Addr.Compare) {
		lines.WriteString(pfLines(m.project, owner, after[owner]))
	}
	fmt.Fprintf(&b, "cat >new %s\npfctl -q -n -a %[2]s -f new || return\nmkdir -p /etc/btplan || return\ncat new >%[3]s || return\npfctl -q -a %[2]s -f %[3]s || return\n",
		host.HeredocOr(lines.String()), anchor, file)
	if want := m.wantPlist(); !bytes.Equal(m.plist, want) {
		// launchd takes nothing that others may write.
		fmt.Fprintf(&b, "cat >%[1]s %[2]s\nchmod 644 %[1]s || return\n", plist, host.HeredocOr(string(want)))
	}
	return b.String()
}

// wantPlist is the job that loads our rules at boot, after which launchd has
// forgotten it: see launchd.plist(5).
func (m *macos) wantPlist() []byte {
	var b bytes.Buffer
	text := func(s string) string {
		var e bytes.Buffer
		_ = xml.EscapeText(&e, []byte(s)) // a buffer takes everything
		return e.String()
	}
	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
	<key>Label</key>
	<string>` + text("btplan."+m.project) + `</string>
	<key>ProgramArguments</key>
	<array>
`)
	for _, arg := range []string{"/sbin/pfctl", "-q", "-a", anchor(m.project), "-f", file(m.project)} {
		b.WriteString("\t\t<string>" + text(arg) + "</string>\n")
	}
	b.WriteString(`	</array>
	<key>RunAtLoad</key>
	<true/>
</dict>
</plist>
`)
	return b.Bytes()
}

func (m *macos) Snapshot() string {
	return fmt.Sprintf(`[ ! -e %[1]s ] || cp -p %[1]s "$change/file" || exit
[ ! -e %[2]s ] || cp -p %[2]s "$change/plist" || exit
`, file(m.project), plist(m.project))
}

// Undo puts the files back and loads the rules again.
func (m *macos) Undo(host.Owned) string {
	file, plist, anchor := file(m.project), plist(m.project), anchor(m.project)
	s := appFirewall
	if m.program != "" && m.app.on {
		if _, known := m.app.apps[m.program]; !known {
			s += fmt.Sprintf("\"$appfw\" --remove %s >/dev/null\n", remote.Quote(m.program))
		}
	}
	if was := m.added(); was != "" && m.app.lets(was) {
		s += fmt.Sprintf("\"$appfw\" --add %[1]s >/dev/null\n\"$appfw\" --unblockapp %[1]s >/dev/null\n", remote.Quote(was))
	}
	return s + fmt.Sprintf(`if [ -e file ]; then
	mkdir -p /etc/btplan
	cp -p file %[1]s
	pfctl -q -a %[3]s -f %[1]s
else
	rm -f %[1]s
	rmdir /etc/btplan 2>/dev/null
	pfctl -q -a %[3]s -F rules 2>/dev/null
fi
if [ -e plist ]; then cp -p plist %[2]s; else rm -f %[2]s; fi
`, file, plist, anchor)
}
