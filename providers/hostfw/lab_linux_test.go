package hostfw

import (
	"slices"
	"strings"
	"testing"

	"github.com/btplan/btplan/internal/lab"
	"github.com/btplan/btplan/internal/script"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers/hostfw/host"
	"github.com/btplan/btplan/providers/hostfw/hosttest"
	"github.com/btplan/btplan/providers/hostfw/macos"
)

func TestMain(m *testing.M) {
	macos.LaunchDaemons = hosttest.LaunchDaemons
	lab.Main(m)
}

// kindNamed is the kind of firewall of this name.
func kindNamed(name string) host.Kind {
	all := append([]host.Kind{autoKind}, kinds...)
	return all[slices.IndexFunc(all, func(k host.Kind) bool { return k.Name == name })]
}

// TestLabAnswers reads machines with all kinds of rules. With -update, what they
// print is recorded for the tests that need no lab.
func TestLabAnswers(t *testing.T) {
	for name, test := range map[string]struct {
		new    func(*testing.T) hosttest.Pair
		script string
	}{
		"ufw":       {hosttest.NewUFW, ufwRules},
		"firewalld": {hosttest.NewFirewalld, firewalldRules},
		"nftables":  {newPacketFilter(nftDrop + outputDrop), nftRules},
		"iptables":  {newPacketFilter(iptablesDrop("legacy")), iptablesRules},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := test.new(t)
			hosttest.OpenInside(t, p.Machine, kindNamed(name), "cabin").MakeAll(t, host.Owned{hosttest.Other: {hosttest.Allow(t, plan.UDP, "7000-7001")}})
			d := hosttest.OpenInside(t, p.Machine, kindNamed(name), "home")
			d.MakeAll(t, host.Owned{
				hosttest.BT:    {hosttest.Allow(t, plan.TCP, "6881-6889"), hosttest.Allow(t, plan.TCP, "6900"), hosttest.Allow(t, plan.UDP, "1", "203.0.113.7/32", "2001:db8::/32")},
				hosttest.Other: {hosttest.Allow(t, plan.TCP, "7777", "0.0.0.0/0", "2001:db8::/32")},
			})
			p.Machine.Sh(test.script)
			out := p.Machine.Run("sh", "-c", script.Head+script.SectionHead+d.Sections(false))
			s, err := d.Parse([]byte(out))
			if err != nil {
				t.Fatal(err)
			}
			hosttest.Golden(t, testdataOf(name)+".txt", hosttest.InWords(s))
			if *hosttest.Update {
				hosttest.Golden(t, testdataOf(name)+".answer", out)
			}
		})
	}
}

// Who is not root is told so, and not that there are no rules.
func TestLabNotRoot(t *testing.T) {
	t.Parallel()
	lab.Need(t, "ufw", "firewall-cmd", "setpriv")
	p := hosttest.NewPair(t)
	for _, name := range []string{"ufw", "firewalld", autoName} {
		read := script.Head + script.SectionHead + script.SharedLock + hosttest.OpenInside(t, p.Machine, kindNamed(name), "home").Sections(false)
		_, err := p.Machine.Try("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "sh", "-c", read)
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

// firewalldRules are rules as people make them.
const firewalldRules = `firewall-cmd --add-port=8080/tcp --add-port=5000-5010/udp
firewall-cmd --zone=home --add-source=203.0.113.128/25
firewall-cmd --zone=home --add-rich-rule='rule family="ipv4" source address="10.0.0.0/8" port port="9091" protocol="tcp" log prefix="it is $(c)" accept'
firewall-cmd --zone=home --add-rich-rule='rule family="ipv4" source address="10.0.0.0/8" port port="9092" protocol="tcp" accept'
firewall-cmd --zone=work --add-port=1234/tcp
firewall-cmd --add-rich-rule='rule priority="-5" family="ipv6" source NOT address="2001:db8::1" reject type="icmp6-port-unreachable"'
firewall-cmd --add-rich-rule='rule service name="ftp" limit value="2/m" accept'
firewall-cmd --policy btplan-home --remove-rich-rule='rule port port="6900" protocol="tcp" accept'`
