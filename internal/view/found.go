package view

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/btplan/btplan/providers"
)

// maxWord is how many characters of what a device calls itself are shown.
const maxWord = 80

// word makes what a device says of itself fit for a table or a comment: one
// line, printable and not long.
func word(s string) string {
	s = strings.NewReplacer("\n", `\n`, "\t", `\t`).Replace(Printable(strings.TrimSpace(s)))
	if cut := []rune(s); len(cut) > maxWord {
		s = string(cut[:maxWord-1]) + "…"
	}
	return s
}

// sentenceIn is a note of a device's, on one line. It may quote the device.
func sentenceIn(note string) string {
	return strings.NewReplacer("\n", " ", "\t", " ").Replace(Printable(note))
}

func words(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = word(s)
	}
	return out
}

// known is an address; empty if it isn't known.
func known(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return word(a.String()) // a zone may be anything
}

// FoundText is a table of the routers that were found, the best way to talk to
// each first, and what there is to say of them.
func FoundText(found []providers.Found) string {
	found = slices.Concat(oneEach(found)...)
	var w strings.Builder
	table := tabwriter.NewWriter(&w, 0, 0, 2, ' ', 0)
	row := func(cells ...string) {
		for i, cell := range cells {
			if cell == "" {
				cells[i] = "-"
			}
		}
		// A strings.Builder takes whatever is written to it.
		_, _ = fmt.Fprintln(table, strings.Join(cells, "\t"))
	}
	row("TYPE", "ADDRESS", "MAKER", "MODEL", "OUTSIDE", "MAPPINGS", "SERVICES", "UDN")
	for _, f := range found {
		mappings := ""
		if f.Mappings >= 0 {
			mappings = strconv.Itoa(f.Mappings)
		}
		row(f.Type, known(f.Address), word(f.Maker), word(f.Model), known(f.WAN), mappings, strings.Join(words(f.Services), ", "), word(f.UDN))
	}
	_ = table.Flush()
	for _, f := range found {
		for _, note := range f.Notes {
			w.WriteString("\n" + f.Type + " " + known(f.Address) + ": " + sentenceIn(note) + "\n")
		}
	}
	return w.String()
}

// NothingFound says what to check when there is no router.
func NothingFound(networkInterface string) string {
	where := "on the networks of this computer"
	if networkInterface != "" {
		where = "on the interface " + Printable(networkInterface)
	}
	return "No routers found " + where + ".\n\n" +
		"  - Is UPnP (or NAT-PMP, or PCP) switched on in the router? Many have it off.\n" +
		"  - Does this computer's firewall let the answers in? They are UDP packets from\n" +
		"    the router, to the port that the question came from.\n" +
		"  - Is this computer on the router's own network, and not behind another router,\n" +
		"    a VPN or a guest network? -interface=NAME says where to look.\n" +
		"  - A router that doesn't answer can still be named: address = \"192.168.1.1\" in\n" +
		"    its gateway block.\n"
}

// foundJSON is one router that was found.
type foundJSON struct {
	Type     string   `json:"type"`
	Maker    string   `json:"maker"`
	Model    string   `json:"model"`
	UDN      string   `json:"udn"`
	Address  string   `json:"address"`
	URL      string   `json:"url"`
	WAN      string   `json:"wan_address"`
	Services []string `json:"services"`
	Mappings *int     `json:"mappings"` // null: not known
	Notes    []string `json:"notes"`
}

// FoundJSON gives each router that was found as one JSON object a line.
func FoundJSON(found []providers.Found) []byte {
	var out []byte
	for _, f := range found {
		one := foundJSON{
			Type: f.Type, Maker: word(f.Maker), Model: word(f.Model), UDN: word(f.UDN),
			Address: known(f.Address), URL: Printable(f.URL), WAN: known(f.WAN),
			Services: words(f.Services), Notes: []string{},
		}
		if f.Mappings >= 0 {
			one.Mappings = &f.Mappings
		}
		for _, note := range f.Notes {
			one.Notes = append(one.Notes, sentenceIn(note))
		}
		raw, err := json.Marshal(one)
		if err != nil {
			panic("a router that has no JSON form: " + err.Error())
		}
		out = append(append(out, raw...), '\n')
	}
	return out
}
