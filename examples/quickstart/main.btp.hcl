# Two machines at home, each with ports of its own, behind one gateway.
#
# The gateway is simulated: its rules are in home.simulated.json, beside this
# file. Look into that file after an apply, change it, and plan again.

btplan {
  project = "quickstart"
}

locals {
  # A BitTorrent client takes one port. The original one took the lowest free
  # of its range, so each machine got as many as it ran clients.
  people = {
    alice = { address = "192.168.1.11", first_port = 6881 }
    bob   = { address = "192.168.1.12", first_port = 6890 }
  }
}

gateway "simulated" "home" {}

machine "pc" {
  for_each = local.people
  address  = each.value.address
}

port_range "bt" {
  for_each = local.people
  machine  = machine.pc[each.key]
  gateways = [gateway.home]
  ports    = ports(each.value.first_port, 9)
}

output "open" {
  description = "The ports to set in each one's client"
  value       = { for name, range in port_range.bt : name => range.ports }
}
