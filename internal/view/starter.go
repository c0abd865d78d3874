package view

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/btplan/btplan/providers"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
)

// StarterHCL is a whole configuration to start from: a gateway block for each
// router that was found, and one machine with its ports behind the first. takes
// says whether the blocks of a type of gateway have an attribute.
func StarterHCL(found []providers.Found, takes func(typeName, attribute string) bool) []byte {
	var w strings.Builder
	w.WriteString("# Made by btplan discover. Say here which computer it is for, and which ports.\n" +
		"# Then `btplan plan` shows what would be done, and `btplan apply` does it.\n\n" +
		"btplan {\nproject = \"home\"\n}\n")
	routers, shared := oneEach(found), map[netip.Addr]int{}
	for _, group := range routers {
		shared[group[0].Address]++
	}
	for i, group := range routers {
		name := "home"
		if i > 0 {
			name += strconv.Itoa(i + 1)
		}
		writeRouter(&w, name, group, takes, shared[group[0].Address] > 1)
	}
	address, hint := "192.168.1.11", "write the address of the one that runs the BitTorrent client"
	if from := routers[0][0].From; from.IsValid() {
		address, hint = from.WithZone("").String(), "this computer; "+hint
	}
	w.WriteString("\nmachine \"seedbox\" {\naddress = " + literal(address) + " # " + hint + "\n}\n" +
		"\nport_range \"seedbox\" {\nmachine = machine.seedbox\ngateways = [gateway.home]\nports = \"6881-6889\"\n" +
		"protocols = [\"tcp\", \"udp\"] # UDP is for µTP and the DHT\n}\n")
	return hclwrite.Format([]byte(w.String()))
}

// oneEach groups what was found by router: one that speaks several protocols
// was found several times. The first of a group is the one to use: one that
// can list its mappings, if there is such a one.
func oneEach(found []providers.Found) [][]providers.Found {
	type speaker struct {
		at       netip.Addr
		typeName string
	}
	type router struct {
		at  netip.Addr
		nth int // two of one type at one address are two devices
	}
	seen, index := map[speaker]int{}, map[router]int{}
	var out [][]providers.Found
	for _, f := range found {
		s := speaker{f.Address, f.Type}
		r := router{f.Address, seen[s]}
		seen[s]++
		i, known := index[r]
		if !known {
			i, out = len(out), append(out, nil)
			index[r] = i
		}
		out[i] = append(out[i], f)
	}
	for _, group := range out {
		slices.SortStableFunc(group, func(a, b providers.Found) int { return lists(b) - lists(a) })
	}
	return out
}

func lists(f providers.Found) int {
	if f.Mappings >= 0 {
		return 1
	}
	return 0
}

// writeRouter writes the block of one router. shared says that there is
// another device at its address.
func writeRouter(w *strings.Builder, name string, group []providers.Found, takes func(typeName, attribute string) bool, shared bool) {
	f := group[0]
	w.WriteString("\n# " + title(f) + "\n")
	for _, note := range f.Notes {
		w.WriteString("# " + sentenceIn(note) + "\n")
	}
	var others []string
	for _, other := range group[1:] {
		others = append(others, other.Type)
	}
	if len(others) > 0 {
		w.WriteString("# It was also found as " + strings.Join(others, " and ") + ". One gateway block is enough for one router.\n")
	}
	w.WriteString("gateway " + literal(f.Type) + " " + literal(name) + " {\n")
	switch {
	case f.UDN != "" && shared && takes(f.Type, "udn"):
		w.WriteString("udn = " + literal(f.UDN) + "\n")
	case f.Address.IsValid() && takes(f.Type, "address"):
		w.WriteString("address = " + literal(f.Address.String()) + "\n")
	}
	w.WriteString("}\n")
}

// title is a router in a few words.
func title(f providers.Found) string {
	text := word(f.Model)
	if !strings.HasPrefix(text, word(f.Maker)) { // "Debian", "Debian router"
		text = strings.TrimSpace(word(f.Maker) + " " + text)
	}
	if text == "" {
		text = "a router"
	}
	if f.WAN.IsValid() {
		text += ", outside address " + known(f.WAN)
	}
	return text
}

// literal is a string as HCL writes it.
func literal(s string) string {
	return string(hclwrite.TokensForValue(cty.StringVal(s)).Bytes())
}
