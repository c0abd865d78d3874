package igd

import (
	"bytes"
	"net/netip"
	"slices"
	"strings"

	upnp "github.com/huin/goupnp/dcps/internetgateway2"
)

// maxPacket is how long an answer to a search may be, in bytes. A longer one is
// cut off there, and then has lost at most headers that don't count.
const maxPacket = 4096

// targets are what is searched for. A device should answer to each of its own
// services and devices; some do to only one of them.
var targets = []string{
	"urn:schemas-upnp-org:device:InternetGatewayDevice:1",
	"urn:schemas-upnp-org:device:InternetGatewayDevice:2",
	upnp.URN_WANIPConnection_1,
	upnp.URN_WANIPConnection_2,
	upnp.URN_WANPPPConnection_1,
}

// allTargets are searched for when nothing has answered to targets: to some of
// these all devices of a network answer.
var allTargets = append(slices.Clone(targets),
	"urn:dslforum-org:device:InternetGatewayDevice:1",
	"upnp:rootdevice",
	"ssdp:all",
)

// searchFor is an M-SEARCH message (Device Architecture 1.1, section 1.3.2).
// MX, the seconds within which devices answer at a random moment, is 1: less
// is not allowed. host is to whom it goes, as the message must say.
func searchFor(target string, host netip.AddrPort) []byte {
	return []byte("M-SEARCH * HTTP/1.1\r\n" +
		"HOST: " + host.String() + "\r\n" +
		"MAN: \"ssdp:discover\"\r\n" +
		"MX: 1\r\n" +
		"ST: " + target + "\r\n" +
		"USER-AGENT: " + userAgent + "\r\n\r\n")
}

// parseLocation gives the LOCATION of an answer to a search; empty: the packet
// is none, or has none.
func parseLocation(packet []byte) string {
	first, rest, _ := bytes.Cut(packet, []byte("\n"))
	version, status, _ := strings.Cut(strings.TrimSpace(string(first)), " ")
	if !strings.HasPrefix(strings.ToUpper(version), "HTTP/1.") || !strings.HasPrefix(strings.TrimSpace(status), "200") {
		return ""
	}
	for line := range bytes.Lines(rest) {
		name, value, _ := strings.Cut(string(line), ":")
		if strings.EqualFold(strings.TrimSpace(name), "LOCATION") {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
