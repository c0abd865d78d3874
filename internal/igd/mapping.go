package igd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/btplan/btplan/plan"
)

// Add asks for a mapping, which needs Protocol, External, Client and Internal.
// One of the same protocol and outside port for the same client is replaced,
// but for its description, which routers keep. A router may say yes and do
// nothing, so that only what is read again is sure.
func (c *Connection) Add(ctx context.Context, m Mapping) error {
	enabled := "0"
	if m.Enabled {
		enabled = "1"
	}
	_, err := c.call(ctx, "AddPortMapping",
		argument{"NewRemoteHost", m.RemoteHost},
		argument{"NewExternalPort", number(m.External)},
		argument{"NewProtocol", upper(m.Protocol)},
		argument{"NewInternalPort", number(m.Internal)},
		argument{"NewInternalClient", m.Client.String()},
		argument{"NewEnabled", enabled},
		argument{"NewPortMappingDescription", m.Description},
		argument{"NewLeaseDuration", strconv.FormatInt(int64(m.Lease/time.Second), 10)},
	)
	return err
}

// Delete deletes the mapping of a port that is for any remote host. existed is
// false where the router says that there was none (714); others say nothing
// of it, and then existed is true.
func (c *Connection) Delete(ctx context.Context, protocol plan.Protocol, external uint16) (existed bool, err error) {
	_, err = c.call(ctx, "DeletePortMapping", key(protocol, external)...)
	if isFault(err, NoSuchEntry) {
		return false, nil
	}
	return err == nil, err
}

// Specific asks for the mapping of one port, which some routers know and don't
// list.
func (c *Connection) Specific(ctx context.Context, protocol plan.Protocol, external uint16) (m Mapping, found bool, err error) {
	result, err := c.call(ctx, "GetSpecificPortMappingEntry", key(protocol, external)...)
	if isFault(err, NoSuchEntry) {
		return Mapping{}, false, nil
	}
	if err != nil {
		return Mapping{}, false, err
	}
	m = parseMapping(result.values())
	m.Protocol, m.External = protocol, external // what was asked for isn't in the answer
	return m, true, nil
}

// key are the arguments that say which mapping is meant.
func key(protocol plan.Protocol, external uint16) []argument {
	return []argument{
		{"NewRemoteHost", ""},
		{"NewExternalPort", number(external)},
		{"NewProtocol", upper(protocol)},
	}
}

func number(port uint16) string { return strconv.FormatUint(uint64(port), 10) }

// upper is a protocol as routers want it: some refuse it in lower case.
func upper(p plan.Protocol) string { return strings.ToUpper(string(p)) }

// isFault reports whether err is a fault with one of the codes.
func isFault(err error, codes ...int) bool {
	var f *Fault
	return errors.As(err, &f) && slices.Contains(codes, f.Code)
}

// parseMapping makes a mapping of an entry's values. They are as routers write
// them: what is missing or odd is zero, and what isn't said to be disabled is
// enabled.
func parseMapping(values map[string]string) Mapping {
	m := Mapping{
		Protocol:    plan.Protocol(strings.ToLower(cut(values["NewProtocol"]))),
		External:    port(values["NewExternalPort"]),
		Internal:    port(values["NewInternalPort"]),
		Description: cut(first(values, "NewPortMappingDescription", "NewDescription")),
		Enabled:     !slices.Contains([]string{"0", "false", "no"}, strings.ToLower(values["NewEnabled"])),
		Lease:       seconds(first(values, "NewLeaseDuration", "NewLeaseTime")),
		RemoteHost:  cut(values["NewRemoteHost"]),
	}
	if a, isLiteral := literal(values["NewInternalClient"]); isLiteral {
		m.Client = a
	} else {
		m.ClientName = cut(values["NewInternalClient"])
	}
	return m
}

// first is the first of the named values that isn't empty. The two ways to
// read a list have other names for the same.
func first(values map[string]string, names ...string) string {
	for _, name := range names {
		if values[name] != "" {
			return values[name]
		}
	}
	return ""
}

// port reads a port; 0 also if it is none.
func port(text string) uint16 {
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return 0
	}
	return uint16(n)
}

// parseEntry makes a mapping of an entry of a list, which must say which port
// of which protocol it is about: without that the list isn't known.
func parseEntry(values map[string]string) (Mapping, error) {
	m := parseMapping(values)
	if _, err := strconv.ParseUint(values["NewExternalPort"], 10, 16); err != nil || m.Protocol == "" {
		return Mapping{}, fmt.Errorf("the router lists a mapping of protocol %q and outside port %q, which can't be", string(m.Protocol), cut(values["NewExternalPort"]))
	}
	return m, nil
}
