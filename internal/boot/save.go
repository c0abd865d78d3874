package boot

import (
	"fmt"
	"strings"

	"github.com/btplan/btplan/internal/script"
)

// Save spells the commands that make the device run the script, with this text,
// at boot. They end with a code other than 0 when they can't. The tag is one
// for script.Heredoc.
func (s Script) Save(now State, text, tag string) string {
	if now.init == noInit {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "mkdir -p %s && ", dir)
	replaceFile(&b, s.path(), "700", text, tag)
	switch now.init {
	case systemd:
		// Started, so that a restart of the others restarts it too. That loads
		// the rules that are there already once more.
		fmt.Fprintf(&b, "if ! [ -e %s ] || ! [ \"$(cat %s 2>/dev/null)\" = \"$(cat %s", s.wantPath(), s.unitPath(), script.Heredoc(s.unitText(), tag))
		b.WriteString(")\" ]; then\n")
		replaceFile(&b, s.unitPath(), "644", s.unitText(), tag)
		fmt.Fprintf(&b, "systemctl daemon-reload && systemctl --quiet enable %s && systemctl start %s || exit\nfi\n", s.unit(), s.unit())
	case openRC:
		fmt.Fprintf(&b, "ln -sf %s %s || exit\n", s.path(), s.localPath())
		b.WriteString("if command -v rc-update >/dev/null; then rc-update -q add local default || exit; fi\n")
	case rcLocal:
		line := "sh " + s.path() + " " + s.mark()
		fmt.Fprintf(&b, `if ! grep -q '%s$' /etc/rc.local; then
	{ sed '/^exit 0/,$d' /etc/rc.local && echo '%s' && sed -n '/^exit 0/,$p' /etc/rc.local; } >/etc/rc.local.btplan &&
	cat /etc/rc.local.btplan >/etc/rc.local && rm /etc/rc.local.btplan || exit
fi
`, s.mark(), line)
	}
	return b.String()
}

// replaceFile spells what writes a file as a whole or not at all.
func replaceFile(b *strings.Builder, path, mode, content, tag string) {
	fmt.Fprintf(b, "cat >%s.new %s", path, script.Heredoc(content, tag))
	fmt.Fprintf(b, "chmod %s %s.new && mv %s.new %s || exit\n", mode, path, path, path)
}

// Forget spells the commands that remove all that Save has made. They end with
// a code other than 0 when they can't.
func (s Script) Forget(now State) string {
	var b strings.Builder
	switch now.init {
	case noInit:
		return ""
	case systemd:
		fmt.Fprintf(&b, `if [ -e %s ]; then
	systemctl --quiet disable %s
	rm -f %s && systemctl daemon-reload || exit
fi
`, s.unitPath(), s.unit(), s.unitPath())
	case openRC:
		fmt.Fprintf(&b, "rm -f %s || exit\n", s.localPath())
	case rcLocal:
		fmt.Fprintf(&b, `if grep -q '%s$' /etc/rc.local; then
	sed '/%s$/d' /etc/rc.local >/etc/rc.local.btplan &&
	cat /etc/rc.local.btplan >/etc/rc.local && rm /etc/rc.local.btplan || exit
fi
`, s.mark(), s.mark())
	}
	fmt.Fprintf(&b, "rm -f %s || exit\nrmdir %s 2>/dev/null\n", s.path(), dir)
	return b.String()
}
