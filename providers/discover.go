package providers

import "net/netip"

// DiscoverOptions say where to look for devices.
type DiscoverOptions struct {
	// Interface is the name of the one network interface to look on; empty:
	// all that have an address and are not a loopback.
	Interface string
}

// Found is a device that was found on the network. Its texts are the device's
// own words: whoever prints them has to make them fit for that.
type Found struct {
	Type     string     // the gateway type that can talk to it: "upnp"
	Maker    string     // who makes it; empty: it doesn't say
	Model    string     // what it is called; empty: it doesn't say
	UDN      string     // its Unique Device Name (UPnP Device Architecture 1.1, 2.3); empty: it has none
	Address  netip.Addr // where it is on the LAN
	From     netip.Addr // this computer's address on that LAN; zero: not known
	URL      string     // of its description; empty: it has none
	WAN      netip.Addr // its outside address; zero: not known
	Services []string   // what it offers of use: "WANIPConnection:2"
	Mappings int        // how many mappings it lists, whoever made them; -1: it was not asked, or can't list them
	// Notes are what the user should know of it, a sentence each: that its
	// outside address is a private one.
	Notes []string
}
