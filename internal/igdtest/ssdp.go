package igdtest

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"net/http"
	"strings"
)

// Searches is how a router answers those who look for it.
type Searches struct {
	// Location is what it says where its description is, which may be wrong:
	// "http://[::1]:5000/igd/desc.xml".
	Location string
	// Targets are the search targets that it knows; none: all.
	Targets []string
	// From sends the answers, as routers do that have a socket for that with
	// another port; nil: the one that was asked does.
	From net.PacketConn
}

// ServeSearches answers the searches that arrive at conn until it is closed.
func (r *Router) ServeSearches(conn net.PacketConn, s Searches) {
	go func() {
		buf := make([]byte, 2048)
		for {
			n, peer, err := conn.ReadFrom(buf)
			if err != nil {
				return // closed
			}
			if answer := r.answer(buf[:n], s); answer != "" {
				from := conn
				if s.From != nil {
					from = s.From
				}
				_, _ = from.WriteTo([]byte(answer), peer) // who asks asks again
			}
		}
	}()
}

// answer is the answer to one search of the Device Architecture (1.3.3); "":
// there is none.
func (r *Router) answer(datagram []byte, s Searches) string {
	request, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(datagram)))
	if err != nil || request.Method != "M-SEARCH" || request.Header.Get("Man") != `"ssdp:discover"` {
		return ""
	}
	target := request.Header.Get("St")
	known := s.Targets
	if known == nil {
		known = []string{"ssdp:all", "upnp:rootdevice", r.UDN, r.ServiceType()}
		for v := 1; v <= r.Version; v++ {
			known = append(known, fmt.Sprintf("urn:schemas-upnp-org:device:InternetGatewayDevice:%d", v))
		}
	}
	for _, k := range known {
		if k != target {
			continue
		}
		usn := r.UDN
		if !strings.HasPrefix(target, "uuid:") {
			usn += "::" + target
		}
		return "HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=1800\r\nEXT:\r\nLOCATION: " + s.Location +
			"\r\nSERVER: Example/1.0 UPnP/1.1 HomeBox/3.1\r\nST: " + target + "\r\nUSN: " + usn + "\r\n\r\n"
	}
	return ""
}
