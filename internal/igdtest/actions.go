package igdtest

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// act does what was asked for. A code other than 0 is the fault.
func (r *Router) act(action string, args map[string]string) (results []value, code int) {
	if action == "GetGenericPortMappingEntry" && r.OnIndex != nil {
		i, _ := strconv.Atoi(args["NewPortMappingIndex"])
		r.OnIndex(r, i)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch action {
	case "GetStatusInfo":
		return []value{{"NewConnectionStatus", "Connected"}, {"NewLastConnectionError", "ERROR_NONE"}, {"NewUptime", "86400"}}, 0
	case "GetExternalIPAddress":
		return r.external()
	case "AddPortMapping":
		return nil, r.add(args)
	case "DeletePortMapping":
		return nil, r.delete(args)
	case "GetSpecificPortMappingEntry":
		return r.specific(args)
	case "GetGenericPortMappingEntry":
		return r.generic(args)
	case "GetListOfPortMappings":
		if r.Version >= 2 {
			return r.list(args)
		}
	}
	return nil, 401
}

func (r *Router) external() ([]value, int) {
	switch {
	case r.ExternalFault != 0:
		return nil, r.ExternalFault
	case r.External == "none":
		return []value{{"NewExternalIPAddress", ""}}, 0
	}
	return []value{{"NewExternalIPAddress", r.External}}, 0
}

// key reads which mapping is meant. Protocols are known in capitals alone.
func key(args map[string]string) (protocol string, external uint16, ok bool) {
	n, err := strconv.ParseUint(args["NewExternalPort"], 10, 16)
	protocol = args["NewProtocol"]
	return protocol, uint16(n), err == nil && (protocol == "TCP" || protocol == "UDP")
}

func (r *Router) add(args map[string]string) int {
	protocol, external, ok := key(args)
	internal, err := strconv.ParseUint(args["NewInternalPort"], 10, 16)
	lease, leaseErr := strconv.ParseUint(args["NewLeaseDuration"], 10, 32)
	if !ok || err != nil || leaseErr != nil || args["NewEnabled"] != "1" || external == 0 {
		return 402
	}
	m := Mapping{
		Protocol: protocol, External: external, Client: args["NewInternalClient"], Internal: uint16(internal),
		Description: r.described(args["NewPortMappingDescription"]),
		Lease:       time.Duration(lease) * time.Second,
	}
	if code := r.refuses(m); code != 0 {
		return code
	}
	if r.MaxLease > 0 && (m.Lease == 0 || m.Lease > r.MaxLease) {
		m.Lease = r.MaxLease
	}
	if i := r.index(protocol, external); i >= 0 {
		old := r.mappings[i]
		if old.Client != m.Client {
			return 718
		}
		if r.KeepsDescription {
			m.Description = old.Description
		}
		if r.KeepsLease {
			m.Lease = old.Lease
		}
		r.mappings[i] = m
		return 0
	}
	if r.Table > 0 && len(r.mappings) >= r.Table {
		if r.TableFault {
			return 728
		}
		return 0 // it says yes and does nothing
	}
	r.mappings = append(r.mappings, m)
	return 0
}

// refuses is the fault that the router's nature has for a mapping.
func (r *Router) refuses(m Mapping) int {
	switch {
	case r.RefusesAll != 0:
		return r.RefusesAll
	case m.Lease > 0 && r.RefusesFinite != 0:
		return r.RefusesFinite
	case m.Lease == 0 && r.RefusesPermanent != 0:
		return r.RefusesPermanent
	case r.RefusesOthers != 0 && m.Client != r.Requester:
		return r.RefusesOthers
	case r.SamePort && m.External != m.Internal:
		return 724
	}
	return 0
}

// described is what the router makes of a description.
func (r *Router) described(s string) string {
	if r.FixedDescription != "" {
		return r.FixedDescription
	}
	if r.CutsDescription > 0 && len(s) > r.CutsDescription {
		return s[:r.CutsDescription]
	}
	return s
}

func (r *Router) delete(args map[string]string) int {
	protocol, external, ok := key(args)
	if !ok {
		return 402
	}
	i := r.index(protocol, external)
	switch {
	case i >= 0:
		r.mappings = append(r.mappings[:i:i], r.mappings[i+1:]...)
	case !r.SilentDelete:
		return 714
	}
	return 0
}

func (r *Router) specific(args map[string]string) ([]value, int) {
	protocol, external, ok := key(args)
	if !ok {
		return nil, 402
	}
	i := r.index(protocol, external)
	if i < 0 {
		return nil, 714
	}
	return entry(r.mappings[i]), 0
}

// entry is what a call for one mapping gives of it.
func entry(m Mapping) []value {
	return []value{
		{"NewInternalPort", strconv.Itoa(int(m.Internal))},
		{"NewInternalClient", m.Client},
		{"NewEnabled", "1"},
		{"NewPortMappingDescription", m.Description},
		{"NewLeaseDuration", strconv.Itoa(int(m.Lease / time.Second))},
	}
}

// listed are the mappings that the router lists.
func (r *Router) listed() []Mapping {
	var out []Mapping
	for i, m := range r.mappings {
		switch {
		case r.ListsNothing, r.HidesStatic && m.Static:
			continue
		case r.Repeats && i == 0:
			out = append(out, m)
		}
		out = append(out, m)
	}
	return out
}

func (r *Router) generic(args map[string]string) ([]value, int) {
	list := r.listed()
	i, err := strconv.Atoi(args["NewPortMappingIndex"])
	if err != nil || i < 0 || i >= len(list) {
		return nil, 713
	}
	m := list[i]
	return append([]value{
		{"NewRemoteHost", ""},
		{"NewExternalPort", strconv.Itoa(int(m.External))},
		{"NewProtocol", m.Protocol},
	}, entry(m)...), 0
}

// list answers the call that gives many mappings at once, of WANIPConnection:2.
func (r *Router) list(args map[string]string) ([]value, int) {
	first, err := strconv.Atoi(args["NewStartPort"])
	last, lastErr := strconv.Atoi(args["NewEndPort"])
	most, mostErr := strconv.Atoi(args["NewNumberOfPorts"])
	if err != nil || lastErr != nil || mostErr != nil || last < first {
		return nil, 402
	}
	var b strings.Builder
	b.WriteString(`<p:PortMappingList xmlns:p="urn:schemas-upnp-org:gw:WANIPConnection">`)
	n := 0
	for _, m := range r.listed() {
		port := int(m.External)
		if m.Protocol != args["NewProtocol"] || port < first || port > last || most > 0 && n == most {
			continue
		}
		n++
		fmt.Fprintf(&b, `<p:PortMappingEntry><p:NewRemoteHost></p:NewRemoteHost><p:NewExternalPort>%d</p:NewExternalPort><p:NewProtocol>%s</p:NewProtocol><p:NewInternalPort>%d</p:NewInternalPort><p:NewInternalClient>%s</p:NewInternalClient><p:NewEnabled>1</p:NewEnabled><p:NewDescription>%s</p:NewDescription><p:NewLeaseTime>%d</p:NewLeaseTime></p:PortMappingEntry>`,
			m.External, m.Protocol, m.Internal, escape(m.Client), escape(m.Description), m.Lease/time.Second)
	}
	b.WriteString(`</p:PortMappingList>`)
	if n == 0 {
		return nil, 730
	}
	return []value{{"NewPortListing", b.String()}}, 0
}
