// Package igd speaks with UPnP Internet Gateway Devices, which is what home
// routers call themselves: it finds them, reads their descriptions, and lists,
// adds and deletes their port mappings.
//
// Whatever a router says is hostile or broken until it has been looked at:
// answers are bounded, addresses are checked before they are dialled, and
// texts are kept as they came.
//
// The documents are the UPnP Device Architecture 1.1, and the service
// templates WANIPConnection:1 and :2 and WANPPPConnection:1 of the UPnP Forum.
package igd

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/btplan/btplan/internal/plain"
	"github.com/btplan/btplan/plan"
)

// Dial makes a connection, as net.Dialer.DialContext does. The address is
// always that of an IP address and a port, never of a name.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

// Router is an Internet Gateway Device, as its description shows it. The texts
// are the router's own: bounded, but not fit for a terminal.
type Router struct {
	UDN          string // identifies it, at any address: "uuid:" and the rest
	FriendlyName string
	Manufacturer string
	ModelName    string
	ModelNumber  string
	Location     string         // URL of the description, as it was fetched
	Addr         netip.AddrPort // where the description was fetched from
	Services     []Service      // those that map ports, best first; at least one

	client *client
}

// Service is a service of a router that maps ports.
type Service struct {
	Type       string // its URN: "urn:schemas-upnp-org:service:WANIPConnection:2"
	ID         string
	ControlURL string // absolute, at the address where the router was found

	control target
}

// Mapping is a port mapping: what comes to the router's outside port is sent to
// the client.
type Mapping struct {
	Protocol    plan.Protocol // read: in lower case, and anything if the router says so
	External    uint16        // outside port; 0: every port that has no mapping of its own
	Client      netip.Addr    // whom it leads to; invalid: the router gives ClientName
	ClientName  string        // read only: what the router gives in place of an address
	Internal    uint16        // the client's port
	Description string
	Enabled     bool
	Lease       time.Duration // whole seconds; asked for, or left; 0: permanent
	RemoteHost  string        // the only host that may use it; empty: any
}

// Fault is a router's answer that it did not do as it was asked.
type Fault struct {
	Action      string // which call: "AddPortMapping"
	Code        int    // UPnP error code; 0: the router gave none
	Description string // in the router's words
}

// UPnP error codes, of the Device Architecture (4xx, 5xx, 6xx) and of
// WANIPConnection:2 (7xx and 606).
const (
	InvalidAction          = 401
	InvalidArgs            = 402
	ActionFailed           = 501
	OptionalNotImplemented = 602
	NotAuthorized          = 606
	InvalidIndex           = 713 // SpecifiedArrayIndexInvalid: the list ends here
	NoSuchEntry            = 714
	ConflictInMapping      = 718
	SamePortRequired       = 724
	OnlyPermanentLeases    = 725
	NoPortMapsAvailable    = 728
	PortMappingNotFound    = 730 // of WANIPConnection:2, where a list would be empty
)

// Error gives the fault, fit for a terminal.
func (f *Fault) Error() string {
	said := plain.Line(f.Description)
	if f.Code != 0 {
		said = strings.TrimSpace(fmt.Sprint(f.Code, " ", said))
	}
	return fmt.Sprintf("%s is refused: %s", f.Action, said)
}
