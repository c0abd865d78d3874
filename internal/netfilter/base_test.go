package netfilter

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Whether rules of others are worth listing, by what nft prints of chains.
func TestNotAlone(t *testing.T) {
	const (
		ufw       = "table ip filter {\n\tchain INPUT {\n\t\ttype filter hook input priority filter; policy drop;\n\t}\n\tchain ufw-user-input {\n\t}\n}\n"
		ufw6      = "table ip6 filter {\n\tchain ufw6-user-input {\n\t}\n\tchain INPUT {\n\t\ttype filter hook input priority filter; policy drop;\n\t}\n}\n"
		firewalld = "table inet firewalld {\n\tchain filter_INPUT {\n\t\ttype filter hook input priority filter + 10; policy accept;\n\t}\n}\n"
		strict    = "table inet strict {\n\tchain in {\n\t\ttype filter hook input priority 0; policy drop;\n\t}\n}\n"
		out       = "table inet strict {\n\tchain out {\n\t\ttype filter hook output priority 0; policy drop;\n\t}\n}\n"
		docker    = "table ip nat {\n\tchain OUTPUT {\n\t\ttype nat hook output priority -100; policy accept;\n\t}\n}\ntable ip raw {\n\tchain PREROUTING {\n\t\ttype filter hook prerouting priority raw; policy accept;\n\t}\n}\n"
	)
	for name, test := range map[string]struct {
		manager Manager
		chains  string
		legacy  string // tables of iptables-legacy
		want    bool
	}{
		"nothing":               {UFW, "", "", false},
		"ufw":                   {UFW, ufw + ufw6 + docker, "", false},
		"firewalld":             {Firewalld, docker + firewalld, "", false},
		"ufw beside firewalld":  {Firewalld, firewalld + ufw, "", true},
		"firewalld beside ufw":  {UFW, firewalld + ufw + ufw6, "", true},
		"a table before ufw":    {UFW, strict + ufw, "", true},
		"a table behind ufw":    {UFW, ufw + ufw6 + strict, "", true},
		"a table on the output": {Firewalld, firewalld + out, "", true},
		"iptables-legacy":       {UFW, ufw + ufw6, "filter\n", true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if test.legacy != "" {
				if err := os.WriteFile(filepath.Join(dir, "ip6_tables_names"), []byte(test.legacy), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			condition := strings.ReplaceAll(test.manager.NotAlone(), "/proc/net", dir)
			script := "nft() { cat <<'END'\n" + test.chains + "END\n}\nif " + condition + "; then echo yes; else echo no; fi"
			out, err := exec.CommandContext(t.Context(), "sh", "-c", script).CombinedOutput()
			if err != nil || strings.TrimSpace(string(out)) != map[bool]string{true: "yes", false: "no"}[test.want] {
				t.Errorf("got %q, %v, want %t", out, err, test.want)
			}
		})
	}
}
