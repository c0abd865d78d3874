package igd

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	upnp "github.com/huin/goupnp/dcps/internetgateway2"

	"github.com/btplan/btplan/plan"
)

// table is the mappings of a fake router, and what is odd about it.
type table struct {
	entries []Mapping
	noList  int  // the fault that GetListOfPortMappings gives; 0: it works
	inline  bool // the list comes as elements, not as a text
	own     bool // the windows show only what is seedbox's
	end     int  // the fault after the last entry; 0: an empty entry
	shift   int  // a mapping comes in before the others when this index is read
	reads   int
}

func (tb *table) do(action string, args map[string]string) (string, int) {
	switch action {
	case "GetGenericPortMappingEntry":
		index, _ := strconv.Atoi(args["NewPortMappingIndex"])
		if tb.reads++; tb.shift > 0 && index == tb.shift {
			tb.shift = 0
			tb.entries = append([]Mapping{entry(plan.TCP, 1)}, tb.entries...)
		}
		if index >= len(tb.entries) {
			return "<NewExternalPort></NewExternalPort>", tb.end
		}
		return fields(tb.entries[index], "NewPortMappingDescription", "NewLeaseDuration"), 0
	case "GetListOfPortMappings":
		if tb.noList != 0 {
			return "", tb.noList
		}
		return tb.window(args)
	}
	return "", InvalidAction
}

func (tb *table) window(args map[string]string) (string, int) {
	from, _ := strconv.Atoi(args["NewStartPort"])
	to, _ := strconv.Atoi(args["NewEndPort"])
	var list strings.Builder
	n := 0
	for _, m := range tb.entries {
		if upper(m.Protocol) != args["NewProtocol"] || int(m.External) < from || int(m.External) > to || tb.own && m.Client != seedbox {
			continue
		}
		n++
		fmt.Fprintf(&list, "<p:PortMappingEntry>%s</p:PortMappingEntry>", fields(m, "NewDescription", "NewLeaseTime"))
	}
	if n > maxWindow {
		panic("a real router would be dead now") // net/http prints it and closes the connection
	}
	if n == 0 {
		return "", PortMappingNotFound
	}
	document := `<p:PortMappingList xmlns:p="urn:schemas-upnp-org:gw:WANIPConnection">` + list.String() + `</p:PortMappingList>`
	if !tb.inline {
		document = "<![CDATA[<?xml version=\"1.0\"?>" + document + "]]>"
	}
	return "<NewPortListing>" + document + "</NewPortListing>", 0
}

func fields(m Mapping, description, lease string) string {
	return fmt.Sprintf("<NewRemoteHost/><NewExternalPort>%d</NewExternalPort><NewProtocol>%s</NewProtocol><NewInternalPort>%d</NewInternalPort><NewInternalClient>%s</NewInternalClient><NewEnabled>1</NewEnabled><%[5]s>%s</%[5]s><%[7]s>%d</%[7]s>",
		m.External, upper(m.Protocol), m.Internal, m.Client, description, m.Description, lease, int(m.Lease.Seconds()))
}

func entry(p plan.Protocol, external int) Mapping {
	return Mapping{Protocol: p, External: uint16(external), Client: seedbox, Internal: uint16(external), Description: "d" + fmt.Sprint(external), Enabled: true}
}

// entries are n mappings of each of both protocols, from port on.
func entries(port, n int) []Mapping {
	var list []Mapping
	for i := range n {
		list = append(list, entry(plan.TCP, port+i), entry(plan.UDP, port+i))
	}
	return list
}

func TestList(t *testing.T) {
	v1, v2 := upnp.URN_WANIPConnection_1, upnp.URN_WANIPConnection_2
	near := []plan.PortRange{{First: 6881, Last: 7080}}
	foreign := entry(plan.TCP, 80)
	foreign.Client = seedbox.Next()
	for name, test := range map[string]struct {
		urn   string
		near  []plan.PortRange
		table table
		calls string // how many of which; empty: it doesn't matter
	}{
		"v1":                   {v1, near, table{entries: entries(6881, 119), end: InvalidIndex}, "239 entry"},
		"v1, empty":            {v1, nil, table{end: InvalidIndex}, "1 entry"},
		"v1, ends with 714":    {v1, nil, table{entries: entries(1, 2), end: NoSuchEntry}, "5 entry"},
		"v1, ends with 402":    {v1, nil, table{entries: entries(1, 2), end: InvalidArgs}, "5 entry"},
		"v1, ends with blanks": {v1, nil, table{entries: entries(1, 2)}, "5 entry"},
		"v1, shifts":           {v1, nil, table{entries: entries(10, 5), end: InvalidIndex, shift: 3}, ""},
		"v1, says all twice":   {v1, nil, table{entries: slices.Concat(entries(10, 3), entries(10, 3)), end: InvalidIndex}, ""},
		"v1, 2000":             {v1, nil, table{entries: entries(1, 1000), end: InvalidIndex}, "2001 entry"},
		"v2, empty":            {v2, nil, table{end: InvalidIndex}, "2 entry 2 window"},
		"v2, few":              {v2, nil, table{entries: entries(6881, 50), end: InvalidIndex}, "2 entry 2 window"},
		"v2, few, inline":      {v2, nil, table{entries: entries(6881, 50), end: InvalidIndex, inline: true}, "2 entry 2 window"},
		"v2, many near":        {v2, near, table{entries: entries(6881, 119), end: InvalidIndex}, "2 entry 4 window"},
		"v2, many elsewhere":   {v2, near, table{entries: entries(30000, 150), end: InvalidIndex}, ""},
		"v2, many, nowhere":    {v2, nil, table{entries: entries(6881, 119), end: InvalidIndex}, "240 entry"},
		"v2, one elsewhere":    {v2, near, table{entries: append(entries(6881, 119), foreign), end: InvalidIndex}, ""},
		"v2, own alone":        {v2, nil, table{entries: append(entries(6881, 5), foreign), end: InvalidIndex, own: true}, ""},
		"v2, without a list":   {v2, nil, table{entries: entries(6881, 5), end: InvalidIndex, noList: InvalidAction}, "12 entry 1 window"},
		"v2, not authorized":   {v2, nil, table{entries: entries(6881, 5), end: InvalidIndex, noList: NotAuthorized}, "12 entry 1 window"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t, test.urn)
			f.do = test.table.do
			got, err := f.connect(t).List(t.Context(), test.near...)
			if err != nil {
				t.Fatal(err)
			}
			all := listing{}
			for _, m := range test.table.entries {
				all.add(m)
			}
			if want := all.sorted(); !slices.Equal(got, want) {
				t.Errorf("%d mappings: want %d", len(got), len(want))
			}
			if calls := f.count(); test.calls != "" && calls != test.calls {
				t.Errorf("%s: want %s", calls, test.calls)
			}
		})
	}
}

// count says how many calls of a list's there were.
func (f *fake) count() string {
	n := map[string]int{}
	for _, call := range f.calls {
		action, _, _ := strings.Cut(call, " ")
		n[action]++
	}
	var words []string
	for _, kind := range [][2]string{{"GetGenericPortMappingEntry", "entry"}, {"GetListOfPortMappings", "window"}} {
		if n[kind[0]] > 0 {
			words = append(words, fmt.Sprint(n[kind[0]], " ", kind[1]))
		}
	}
	return strings.Join(words, " ")
}

func TestListFails(t *testing.T) {
	v1, v2 := upnp.URN_WANIPConnection_1, upnp.URN_WANIPConnection_2
	for name, test := range map[string]struct {
		urn   string
		table table
		do    func(string, map[string]string) (string, int)
		want  string
	}{
		"refused":           {v1, table{end: ActionFailed}, nil, "501"},
		"402 at once":       {v1, table{end: InvalidArgs}, nil, "402"},
		"401":               {v1, table{end: InvalidAction}, nil, "401"},
		"breaks off":        {v1, table{entries: entries(1, 3), end: ActionFailed}, nil, "501"},
		"v2, refused":       {v2, table{end: ActionFailed, noList: ActionFailed}, nil, "501"},
		"too many":          {v1, table{entries: entries(1, 1001), end: InvalidIndex}, nil, "more than 2000 mappings"},
		"v2, too many":      {v2, table{entries: entries(1, 1001), end: InvalidIndex}, nil, "more than 2000 mappings"},
		"the same for ever": {v1, table{}, func(string, map[string]string) (string, int) { return fields(entry(plan.TCP, 5), "d", "l"), 0 }, "without end"},
		"no protocol":       {v1, table{}, func(string, map[string]string) (string, int) { return "<NewExternalPort>5</NewExternalPort>", 0 }, "can't be"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t, test.urn)
			if f.do = test.table.do; test.do != nil {
				f.do = test.do
			}
			list, err := f.connect(t).List(t.Context())
			if err == nil || list != nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%d mappings, %v: want %s", len(list), err, test.want)
			}
			for _, call := range f.calls {
				if strings.Contains(call, "Delete") || strings.Contains(call, "Add") {
					t.Errorf("a list called %s", call)
				}
			}
		})
	}
}

// TestListUnreachable: a router that goes away while it is read.
func TestListUnreachable(t *testing.T) {
	for _, urn := range []string{upnp.URN_WANIPConnection_1, upnp.URN_WANIPConnection_2} {
		f := newFake(t, urn)
		rest := table{entries: entries(1, 50), end: InvalidIndex}
		f.do = func(action string, args map[string]string) (string, int) {
			if rest.reads == 20 || action == "GetListOfPortMappings" {
				panic(http.ErrAbortHandler) // net/http closes the connection
			}
			return rest.do(action, args)
		}
		if list, err := f.connect(t).List(t.Context()); err == nil || list != nil {
			t.Errorf("%s: %d mappings, %v", urn, len(list), err)
		}
	}
}

func TestSplit(t *testing.T) {
	for _, test := range []struct {
		in   plan.PortRange
		want string
	}{
		{plan.PortRange{First: 6881, Last: 6881}, "[6881]"},
		{plan.PortRange{First: 1, Last: 128}, "[1-128]"},
		{plan.PortRange{First: 1, Last: 129}, "[1-128 129]"},
		{plan.PortRange{First: 65400, Last: 65535}, "[65400-65527 65528-65535]"},
	} {
		if got := fmt.Sprint(split([]plan.PortRange{test.in})); got != test.want {
			t.Errorf("%s: %s, want %s", test.in, got, test.want)
		}
	}
	if n := len(split([]plan.PortRange{{First: 1, Last: 65535}})); n != 512 {
		t.Errorf("all ports are %d windows", n)
	}
}
