// Package config turns a directory of HCL into machines, gateways and port
// ranges. Every mistake that an author can make is an hcl.Diagnostic with its
// source range; nothing here touches a device.
package config

import (
	"net/netip"
	"time"

	"github.com/btplan/btplan/plan"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/zclconf/go-cty/cty"
)

// Options say what a configuration may hold and where its values come from.
type Options struct {
	// Gateways and Firewalls are the types that blocks may name in their
	// first label, and what their bodies may hold beyond the common parts.
	Gateways, Firewalls map[string]hcldec.ObjectSpec
	// Env is the environment, as os.Environ gives it, for BTPLAN_VAR_name.
	Env []string
	// Inputs are the -var and -var-file options in the order given.
	Inputs []Input
	// Version is btplan's own, for required_version.
	Version string
}

// Input is one -var or -var-file option; just one field is set.
type Input struct {
	Var  string // "name=value"
	File string // a path, relative to the working directory
}

// Config is one configuration, evaluated: no expressions are left.
type Config struct {
	Dir        string
	Project    string
	Machines   []*Machine
	Gateways   []*Gateway
	PortRanges []*PortRange
	Outputs    []*Output
	Variables  []*Variable
}

// Machine is a computer that runs BitTorrent clients.
type Machine struct {
	Addr      plan.Addr
	Address   netip.Addr
	Address6  netip.Addr // its IPv6 address beside an IPv4 one; zero: none
	SSH       *SSH       // nil: not reached by SSH
	Local     bool       // this computer
	Firewall  *Firewall
	DeclRange hcl.Range
	// Trackers are the servers that its firewall has to let it out to.
	Trackers      []Tracker
	TrackersRange hcl.Range // where they are written; zero: nowhere
}

// Firewall is a machine's own firewall, which btplan manages.
type Firewall struct {
	Type      string
	Body      cty.Value // what Options.Firewalls made of the block
	DeclRange hcl.Range
}

// Gateway is what stands between machines and the Internet.
type Gateway struct {
	Addr  plan.Addr
	Type  string
	Body  cty.Value // what Options.Gateways made of the block
	SSH   *SSH      // nil: not reached by SSH
	Local bool      // this computer
	// Via is the machine from which the gateway is to be talked to; nil: from
	// here. It has an SSH, or is this computer.
	Via       *Machine
	ViaRange  hcl.Range // where Via is written
	DeclRange hcl.Range
}

// SSH is how btplan reaches a machine or gateway. Unset fields are zero.
type SSH struct {
	Host           string // a machine's default is its address
	Port           int
	User           string
	IdentityFile   string
	KnownHostsFile string
	Timeout        time.Duration
	Sudo           bool
	Jump           *SSH // the host that the way goes by; its own Jump is the one before
	Direct         bool // jump = "none": the way goes by no other host
	DeclRange      hcl.Range
}

// PortRange is the ports of one machine, and who opens them.
type PortRange struct {
	Addr      plan.Addr
	Machine   *Machine
	Gateways  []*Gateway
	Ports     []plan.PortRange // on the machine
	WANPorts  []plan.PortRange // outside, the same count in all; nil: Ports
	Protocols []plan.Protocol
	Sources   []netip.Prefix // canonical; none: anyone
	DeclRange hcl.Range
}

// Variable is one input value.
type Variable struct {
	Name      string
	Value     cty.Value // unmarked
	Sensitive bool
	DeclRange hcl.Range
}

// Output is one value that the configuration gives to whoever uses it.
type Output struct {
	Name        string
	Description string
	Value       cty.Value // unmarked
	Sensitive   bool
	DeclRange   hcl.Range
}
