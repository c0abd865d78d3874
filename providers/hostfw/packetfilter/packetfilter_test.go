package packetfilter

import (
	"testing"

	"github.com/btplan/btplan/internal/netfilter"
	"github.com/btplan/btplan/internal/nft"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers/hostfw/host"
	"github.com/btplan/btplan/providers/hostfw/hosttest"
)

// What is run on the machines of TestLabAnswers for one more change, what takes
// it back, and what is left for the next boot.
func TestPacketFilterCommands(t *testing.T) {
	for _, k := range []host.Kind{Nftables, Iptables} {
		s, err := hosttest.DeviceOf(k).Parse(hosttest.Answer(t, "testdata/"+k.Name+".answer"))
		if err != nil {
			t.Fatal(err)
		}
		u := s.Filter.(*packetFilter)
		u.next = "00000000000b"
		after := host.Owned{
			hosttest.BT:      {hosttest.Allow(t, plan.TCP, "6881-6889"), hosttest.Allow(t, plan.UDP, "6881", "203.0.113.0/24", "2001:db8::/32")},
			hosttest.Seedbox: {{Kind: plan.Outbound, Protocol: plan.TCP, Ports: plan.PortRange{First: 6969, Last: 6969}}},
		}
		hosttest.Golden(t, "testdata/"+k.Name+"-change.sh", s.Change(after))
		hosttest.Golden(t, "testdata/"+k.Name+"-undo.sh", s.Undo(after))
		hosttest.Golden(t, "testdata/"+k.Name+"-boot.sh", u.bootText(openingsOf("home", after, nil), u.next))
		hosttest.Golden(t, "testdata/"+k.Name+"-destroy.sh", s.Change(nil)+s.Undo(nil))
	}
}

func TestReadOpening(t *testing.T) {
	in := netfilter.Kind{Name: inChain, Table: netfilter.TableID{Name: "filter"}}
	for spec, want := range map[string]string{
		"-p tcp -m tcp --dport 6881:6889 -j ACCEPT":                      "tcp 6881-6889",
		"-s 10.0.0.0/8 -p udp -m udp --dport 6881 -j ACCEPT":             "udp 6881 from 10.0.0.0/8",
		"-s 2001:db8::/32 -p udp -m udp --dport 6881 -j ACCEPT":          "",
		"-s 10.0.0.0/33 -p udp -m udp --dport 6881 -j ACCEPT":            "",
		"-p tcp -m tcp --dport 6881 -j DROP":                             "",
		"-p sctp -m sctp --dport 6881 -j ACCEPT":                         "",
		"-p tcp -m tcp ! --dport 6881 -j ACCEPT":                         "",
		"-p tcp -m tcp --dport 0:6881 -j ACCEPT":                         "",
		"-p tcp -m tcp --dport 6881 -m limit --limit 3/sec -j ACCEPT":    "",
		"-p tcp -m tcp --sport 6881 -j ACCEPT":                           "",
		"-d 10.0.0.1/32 -p tcp -m tcp --dport 6881 -j ACCEPT":            "",
		"-i eth0 -p tcp -m tcp --dport 6881 -j ACCEPT":                   "",
		"-p tcp -m tcp --dport 6881 -m comment --comment x -j ACCEPT":    "tcp 6881",
		"-p tcp -m conntrack --ctdir ORIGINAL -m tcp --dport 1 -j MARK ": "",
	} {
		o, err := readOpening(netfilter.MustParse("-A c "+spec), in)
		got := ""
		if err == nil {
			got = joinOpenings([]opening{o})[0].rule.String()
		}
		if got != want {
			t.Errorf("%s: got %q (%v), want %q", spec, got, err, want)
		}
	}
}

// A table of ours with something in it that we have not written is not read as
// something else.
func TestReadOpenings(t *testing.T) {
	for elements, want := range map[string]bool{
		`{"concat": ["tcp", 6881]}`:                    true,
		`{"concat": ["udp", {"range": [6881, 6889]}]}`: true,
		`{"concat": ["sctp", 6881]}`:                   false,
		`{"concat": ["tcp", 0]}`:                       false,
		`{"concat": ["tcp", 6881, 1]}`:                 false,
		`"tcp"`:                                        false,
		`{"elem": {"val": {"concat": ["tcp", 1]}, "comment": "a\" ; b"}}`: false,
	} {
		rs, err := nft.Parse([]byte(`{"nftables": [{"set": {"family": "inet", "table": "btplanhost_home", "name": "in", "elem": [` + elements + `]}}]}`))
		if err != nil {
			t.Fatal(err)
		}
		list, err := readOpenings(rs, nft.Table{Family: "inet", Name: "btplanhost_home"})
		if (err == nil && len(list) == 1) != want {
			t.Errorf("%s: got %v, %v", elements, list, err)
		}
	}
}
