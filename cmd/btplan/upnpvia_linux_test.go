package main

import (
	"strings"
	"testing"

	"github.com/btplan/btplan/internal/lab"
)

// A computer elsewhere reaches the machine, and by way of it the router, which
// it can't search for.
func TestLabUPnPViaFromElsewhere(t *testing.T) {
	h := newUPnPHome(t, lab.UPnP{Secure: true})
	h.Seedbox.ServeSSH()
	h.Seedbox.LetIn(h.Client, lab.SeedboxLAN)
	h.Client.Route("192.168.77.0/24", lab.GatewayWAN)
	h.Gateway.Run("nft", "insert", "rule", "inet", "filter", "forward", "iifname", "wan0", "ip", "daddr", lab.SeedboxLAN, "tcp", "dport", "22", "accept")
	h.Control = h.Client // where btplan runs

	h.write(secure(""))
	h.must(1, []string{"plan"}, "on none of this computer's networks", "via = machine.NAME")
	via := secure("via = machine.seedbox")
	h.write(via)
	h.must(0, []string{"apply", "-auto-approve"}, "Apply complete!")
	h.must(0, []string{"plan", "-detailed-exitcode"}, "No changes.")

	// It describes itself where nobody would look: the user has to say where.
	h.Gateway.ServeUPnP(lab.UPnP{Secure: true, Port: 5055})
	h.must(1, []string{"plan"}, "No UPnP router is found at "+lab.GatewayLAN, "names ("+lab.SeedboxLAN, "set url")
	elsewhere := strings.Replace(upnpURL, "5000", "5055", 1)
	h.write(strings.Replace(via, `address = "`+lab.GatewayLAN, `url = "`+elsewhere, 1))
	h.must(0, []string{"apply", "-auto-approve"}, "Apply complete!")
	// From then on that is known.
	memory := h.Control.ReadFile(upnpDir + "/.btplan/memory.json")
	h.write(via)
	h.Control.Sh("mkdir -m 700 " + upnpDir + "/.btplan")
	h.Control.WriteFile(upnpDir+"/.btplan/memory.json", memory, 0o600)
	h.must(0, []string{"plan", "-detailed-exitcode"}, "No changes.")

	// A machine that lets no connections be made says so, and nothing else does.
	h.Seedbox.Sh("sed -i 's/^/no-port-forwarding /' /root/.ssh/authorized_keys")
	out := h.must(1, []string{"plan"}, "refused to make a connection to "+lab.GatewayLAN, "AllowTcpForwarding")
	if strings.Contains(out, "set url") || strings.Contains(out, "switched on") {
		t.Errorf("the router is blamed for it:\n%s", out)
	}
}
