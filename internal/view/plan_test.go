package view

import (
	"bytes"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/btplan/btplan/internal/engine"
	"github.com/btplan/btplan/plan"
	"golang.org/x/tools/txtar"
)

// TestPlan prints plans. The archives hold what is wanted and what is live, a
// rule a line: device, owner (or - for a foreign rule), kind, protocol, ports,
// target (or -), sources (or -), and for live rules what drifted, or "lease
// SECONDS" and why it is to be renewed. A line that begins with "singles" stands
// for a rule for each of its ports.
func TestPlan(t *testing.T) {
	golden(t, "plan-*.txtar", func(t *testing.T, in map[string]string) []txtar.File {
		var wanted []plan.Wanted
		for _, l := range parseRules(t, in["wanted"]) {
			wanted = append(wanted, plan.Wanted{Rule: l.Rule, Device: l.Device, Owner: l.Owner})
		}
		p, diags := plan.Diff(wanted, parseRules(t, in["live"]))
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		for _, device := range strings.Fields(in["unread"]) {
			p.Unread = append(p.Unread, parseAddr(t, device))
		}
		options := strings.Fields(in["options"])
		takes := time.Duration(0)
		var out []txtar.File
		for _, name := range []string{"human", "lines"} {
			var printed bytes.Buffer
			o := Options{Out: &printed, Err: &printed, Version: "0.0.0", JSON: name == "lines"}
			for _, option := range options {
				o.Destroy = o.Destroy || option == "destroy"
				o.Color = o.Color || option == "color"
				o.Targeted = o.Targeted || option == "target"
				if d, err := time.ParseDuration(option); err == nil {
					takes = d
				}
			}
			synctest.Test(t, func(*testing.T) { New(o).Plan(p, takes) }) // for the time in JSON
			out = append(out, txtar.File{Name: name, Data: visible(printed.Bytes())})
		}
		return out
	})
}

func TestHoldings(t *testing.T) {
	golden(t, "holdings.txtar", func(t *testing.T, in map[string]string) []txtar.File {
		var holdings []engine.Holding
		for _, device := range strings.Fields(in["devices"]) {
			addr, foreign := parseAddr(t, device), 0
			h := engine.Holding{Device: addr, Type: "simulated", Unread: strings.Contains(in["unread"], device)}
			if addr.Block == plan.BlockMachine {
				h.Type, h.Found = "auto", "nftables"
			}
			for _, l := range parseRules(t, in["live"]) {
				switch {
				case l.Device != addr:
				case l.Owner.IsZero():
					foreign++
				default:
					h.Rules = append(h.Rules, l)
				}
			}
			h.Foreign = foreign
			holdings = append(holdings, h)
		}
		return []txtar.File{
			{Name: "text", Data: []byte(HoldingsText(holdings))},
			{Name: "json", Data: HoldingsJSON(holdings, "0.0.0")},
		}
	})
}

// visible makes escape sequences readable in an archive.
func visible(b []byte) []byte { return bytes.ReplaceAll(b, []byte("\x1b"), []byte(`\e`)) }

func parseAddr(t *testing.T, s string) plan.Addr {
	t.Helper()
	addr, err := plan.ParseAddr(s)
	if err != nil {
		t.Fatal(err)
	}
	return addr
}

func parseRules(t *testing.T, text string) []plan.Live {
	t.Helper()
	var out []plan.Live
	for line := range strings.Lines(text) {
		singles := strings.HasPrefix(line, "singles ")
		line = strings.TrimPrefix(line, "singles ")
		f := strings.SplitN(strings.TrimSpace(line), " ", 8)
		if len(f) < 7 {
			t.Fatalf("%q is not a rule", line)
		}
		l := plan.Live{Device: parseAddr(t, f[0])}
		if f[1] != "-" {
			l.Owner = parseAddr(t, f[1])
		}
		switch f[2] {
		case "allow":
			l.Kind = plan.Allow
		case "outbound":
			l.Kind = plan.Outbound
		}
		l.Protocol = plan.Protocol(f[3])
		var err error
		if l.Ports, err = plan.ParsePortRange(f[4]); err != nil {
			t.Fatal(err)
		}
		if f[5] != "-" {
			l.To = netip.MustParseAddrPort(f[5])
		}
		if f[6] != "-" {
			for s := range strings.SplitSeq(f[6], ",") {
				l.Sources = append(l.Sources, netip.MustParsePrefix(s))
			}
		}
		if len(f) == 8 {
			note := strings.ReplaceAll(f[7], `\e`, "\x1b")
			if lease, isLease := strings.CutPrefix(note, "lease "); isLease {
				seconds, why, _ := strings.Cut(lease, " ")
				n, err := strconv.ParseUint(seconds, 10, 32)
				if err != nil {
					t.Fatal(err)
				}
				l.Expires, l.Renew = uint32(n), why
			} else {
				l.Drift = note
			}
		}
		if !singles {
			out = append(out, l)
			continue
		}
		for _, one := range plan.Split([]plan.Rule{l.Rule}) {
			l.Rule = one
			out = append(out, l)
		}
	}
	return out
}
