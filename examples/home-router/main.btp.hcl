# A consumer router, by UPnP. `btplan discover` tells what answers on your
# network, and `btplan discover -hcl` writes a file like this one for it.

btplan {
  project = "home"
}

# The router asks nobody for a password, but many map ports only to the computer
# that asks. Then let the machine itself ask: give it an ssh block, or local =
# true if it is this computer, and the gateway via = machine.seedbox.
machine "seedbox" {
  address = "192.168.1.11"
}

gateway "upnp" "home" {
  address = "192.168.1.1" # without it: the one router that is found
  lease   = "168h"        # then `btplan apply -renew` has to run at least twice a week
}

port_range "seedbox" {
  machine   = machine.seedbox
  gateways  = [gateway.home]
  ports     = "6881-6889"
  protocols = ["tcp", "udp"] # UDP is for µTP and the DHT
}
