package hostfw

import (
	"slices"
	"strings"
	"testing"

	"github.com/btplan/btplan/internal/lab"
	"github.com/btplan/btplan/internal/script"
	"github.com/btplan/btplan/plan"
)

func TestMain(m *testing.M) {
	launchDaemons = "/var/lib/LaunchDaemons" // where a host of the lab can write
	lab.Main(m)
}

// kindNamed is the kind of firewall of this name.
func kindNamed(name string) kind {
	all := append([]kind{autoKind}, kinds...)
	return all[slices.IndexFunc(all, func(k kind) bool { return k.name == name })]
}

// TestLabAnswers reads machines with all kinds of rules. With -update, what they
// print is recorded for the tests that need no lab.
func TestLabAnswers(t *testing.T) {
	for name, test := range map[string]struct {
		new    func(*testing.T) pair
		script string
	}{
		"ufw":       {newUFW, ufwRules},
		"firewalld": {newFirewalld, firewalldRules},
		"nftables":  {newPacketFilter(nftDrop + outputDrop), nftRules},
		"iptables":  {newPacketFilter(iptablesDrop("legacy")), iptablesRules},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := test.new(t)
			openInside(t, p.machine, kindNamed(name), "cabin").makeAll(t, owned{other: {allow(t, plan.UDP, "7000-7001")}})
			d := openInside(t, p.machine, kindNamed(name), "home")
			d.makeAll(t, owned{
				bt:    {allow(t, plan.TCP, "6881-6889"), allow(t, plan.TCP, "6900"), allow(t, plan.UDP, "1", "203.0.113.7/32", "2001:db8::/32")},
				other: {allow(t, plan.TCP, "7777", "0.0.0.0/0", "2001:db8::/32")},
			})
			p.machine.Sh(test.script)
			out := p.machine.Run("sh", "-c", script.Head+script.SectionHead+d.sections(false))
			s, err := d.parse([]byte(out))
			if err != nil {
				t.Fatal(err)
			}
			golden(t, "testdata/"+name+".txt", inWords(s))
			if *update {
				golden(t, "testdata/"+name+".answer", out)
			}
		})
	}
}

// Who is not root is told so, and not that there are no rules.
func TestLabNotRoot(t *testing.T) {
	t.Parallel()
	lab.Need(t, "ufw", "firewall-cmd", "setpriv")
	p := newPair(t)
	for _, name := range []string{"ufw", "firewalld", autoName} {
		read := script.Head + script.SectionHead + script.SharedLock + openInside(t, p.machine, kindNamed(name), "home").sections(false)
		_, err := p.machine.Try("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "sh", "-c", read)
		if err == nil || !strings.Contains(err.Error(), "Permission denied") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// ufwRules are rules as people make them.
const ufwRules = `ufw limit ssh/tcp
ufw deny 7000:8000/tcp
ufw allow in on lo to any port 99 proto udp
ufw allow from 10.1.2.3
ufw deny from 203.0.113.9 to any port 6881 proto udp comment "hi there"
ufw route allow in on eth0 out on eth1 to 10.0.0.5 port 80 proto tcp
ufw reject log 25/tcp
ufw allow 53 comment 'a; "b" $(c)'
ufw allow proto tcp from 10.0.0.0/255.255.0.255 to any port 80,443,8080:8090
ufw allow proto tcp from any port 20 to any port 9
ufw allow OpenSSH
ufw allow out 9/udp
ufw default deny outgoing
ufw deny out 25/tcp
ufw reject out 5000:5999/udp
ufw allow out 5353/udp
ufw allow out on eth0 to any port 80 proto tcp
ufw allow out to 192.0.2.53 port 53
ufw allow out OpenSSH
ufw allow out 6969,1337/tcp comment 'btplan:home:machine.seedbox'
ufw delete allow 6900/tcp
ufw allow 6881:6889,6900/tcp`
