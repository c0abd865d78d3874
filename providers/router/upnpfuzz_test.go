package router

import (
	"encoding/json"
	"net/netip"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/btplan/btplan/internal/igd"
	"github.com/btplan/btplan/plan"
)

// Whatever a router lists and the memory file holds, the rules that come of it
// are rules, and what is said of them is fit for a terminal.
func FuzzUPnPTable(f *testing.F) {
	f.Add(`{"made":[{"owner":"port_range.seedbox","protocol":"tcp","ports":"6881-6889","to":"192.168.1.11:6881"}],"shown":"x"}`,
		"tcp", uint16(6881), "192.168.1.11", "", uint16(6881), "btplan:624a8e0e", uint32(3600))
	f.Add(`{"leases":"finite","granted":4294967295,"learned":true,"step_us":-1}`,
		"udp", uint16(0), "fe80::1%eth0", "PC\x1b[2J", uint16(0), "\u202e", uint32(0))
	f.Fuzz(func(t *testing.T, text, protocol string, external uint16, addr, name string, internal uint16, description string, lease uint32) {
		var n note
		if json.Unmarshal([]byte(text), &n) != nil {
			n = note{}
		}
		client, err := netip.ParseAddr(addr)
		if err == nil {
			name = ""
		}
		m := igd.Mapping{
			Protocol: plan.Protocol(protocol), External: external, Client: client, ClientName: name,
			Internal: internal, Description: description, Lease: time.Duration(lease) * time.Second,
		}
		made := n.mappings()
		marks := newMarks("home", []plan.Addr{seedbox}, n.owners())
		table := newTable([]igd.Mapping{m, m}, marks, made, n)
		if len(table.rows) > 1 || len(table.rows) == 0 && len(table.odd) != 2 {
			t.Errorf("one mapping makes %d rows", len(table.rows))
		}
		for _, l := range table.live(home, n, time.Hour) {
			if err := l.Rule.Check(); err != nil {
				t.Errorf("Read would give %v", err)
			}
			for _, r := range l.Handle {
				if r < ' ' || r == utf8.RuneError && !utf8.ValidString(l.Handle) {
					t.Errorf("a terminal would act on %q", l.Handle)
				}
			}
		}
		again := n.withMappings(made)
		if got := again.mappings(); len(got) != len(made) {
			t.Errorf("%d mappings of %d are left when they are written again", len(got), len(made))
		}
	})
}
