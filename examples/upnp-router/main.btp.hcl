# A home router that speaks UPnP. `btplan discover` shows which ones are there.
#
#   btplan plan  -var seedbox=192.168.1.11
#   btplan apply -var seedbox=192.168.1.11

btplan {
  project = "home"
}

gateway "upnp" "home" {
  # Without an address the network is searched, which takes a second.
  address = var.router

  # For good, as far as the router knows that. With a lease such as "168h" a
  # mapping ends by itself, unless `btplan apply -renew` is run now and then.
  lease = "0s"

  # Many routers map ports only to the computer that asks ("secure mode"). This
  # has the seedbox ask, by way of SSH; its block then needs an ssh block.
  # via = machine.seedbox
}

machine "seedbox" {
  address = var.seedbox
}

# The ports of the original client: 6881-6999, over TCP. A router maps them one
# by one; many have room for fewer.
port_range "seedbox" {
  machine  = machine.seedbox
  gateways = [gateway.home]
  ports    = var.ports
}
