package netfilter

import (
	"slices"
	"strings"
)

// Variant is one of the two packet filters of the kernel that the name
// iptables stands for. Both may hold rules at once.
type Variant string

// The variants.
const (
	ViaNft Variant = "nf_tables" // in tables of nftables: the variant of most systems since 2019
	Legacy Variant = "legacy"    // ip_tables
)

// Program is a variant, for one IP version, by the command that it goes by on
// a device.
type Program struct {
	Variant Variant
	Six     bool
	Command string // "iptables", "iptables-nft", "ip6tables-legacy"; empty: there is none
}

// TableID names one table of a variant.
type TableID struct {
	Six  bool
	Name string
}

func (t TableID) String() string {
	if t.Six {
		return t.Name + " (IPv6)"
	}
	return t.Name
}

// tables are the tables of iptables in which btplan reads and writes. The
// order is that in which they are changed: who may pass before who is led
// here. The first is changed by every change, so that of two applies at once
// the later finds out before it has done anything.
var tables = []TableID{
	FirstTable, {true, "filter"},
	{false, "mangle"}, {true, "mangle"},
	{false, "nat"}, {true, "nat"},
}

// FirstTable is the table that every change begins with: it says which writing
// all are.
var FirstTable = TableID{false, "filter"}

// save spells the command that lists all the tables that are there. (To list a
// legacy table by name would make it.)
func (p Program) save() string { return p.Command + "-save" }

// restore spells the command that makes the changes on its standard input, each
// table as a whole or not at all. It waits for others that are at it.
func (p Program) restore() string { return p.Command + "-restore -w --noflush" }

// isKnownCommand says whether a device may have named this one.
func isKnownCommand(s string, six bool) bool {
	return slices.ContainsFunc([]string{"iptables", "iptables-nft", "iptables-legacy"}, func(known string) bool { return s == CommandOf(known, six) })
}

// CommandOf gives the command for an IP version by the one for IPv4.
func CommandOf(command string, six bool) string {
	if six {
		return "ip6" + strings.TrimPrefix(command, "ip")
	}
	return command
}
