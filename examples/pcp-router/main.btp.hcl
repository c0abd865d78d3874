# A home router with PCP, the Port Control Protocol, or with its predecessor
# NAT-PMP. Routers often have both under the name of UPnP.
#
#   btplan plan  -var seedbox=192.168.1.11
#   btplan apply -var seedbox=192.168.1.11
#
# Mappings last as long as their lease. Renew them more than twice in that
# time, by cron:
#
#   */30 * * * * btplan -chdir=/etc/btplan apply -auto-approve
#
# `apply -renew` does nothing but that. A router that was restarted has forgotten
# its mappings, and only an apply makes them again.

btplan {
  project = "home"
}

# Neither protocol can list what a router maps: what btplan has made it
# remembers in .btplan/memory.json.
#
# With "natpmp" in place of "pcp", btplan has to run on the seedbox itself: that
# protocol opens ports only for the computer that asks. With "pcp" it need not,
# if the router allows it (miniupnpd: pcp_allow_thirdparty=yes).
gateway "pcp" "home" {
  address = var.router
  lease   = "2h"
}

machine "seedbox" {
  address = var.seedbox
}

port_range "seedbox" {
  machine   = machine.seedbox
  gateways  = [gateway.home]
  ports     = "6881-6889"
  protocols = ["tcp", "udp"]
}
