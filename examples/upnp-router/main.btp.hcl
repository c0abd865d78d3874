# A consumer router, by UPnP. `btplan discover` tells what answers on your
# network, and `btplan discover -hcl` writes a file like this one for it.
#
#   btplan plan  -var seedbox=192.168.1.11
#   btplan apply -var seedbox=192.168.1.11

btplan {
  project = "home"
}

gateway "upnp" "home" {
  # Without an address the network is searched, which takes a second, and the
  # one router that answers is meant.
  address = var.router

  # For good, as far as the router goes along with that. With a lease such as
  # "168h" a mapping ends by itself, unless `btplan apply -renew` runs at least
  # twice in that time.
  lease = "0s"

  # The router asks nobody for a password, but many map ports only to the
  # computer that asks ("secure mode"). This has the seedbox ask, by way of SSH.
  # via = machine.seedbox
}

machine "seedbox" {
  address = var.seedbox

  # For via; local = true in its place, if it is this computer.
  # ssh {
  #   user = "root"
  # }
}

# The ports of the original client: 6881-6999, over TCP. A router maps them one
# by one; many have room for fewer. Clients of today need a single port, and
# that also over UDP, for µTP and the DHT: protocols = ["tcp", "udp"].
port_range "seedbox" {
  machine  = machine.seedbox
  gateways = [gateway.home]
  ports    = var.ports
}
