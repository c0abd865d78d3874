# Machines and their ports from a spreadsheet: one line of inventory.csv each.

btplan {
  project = "inventory"
}

locals {
  rows      = csvdecode(file("inventory.csv"))
  inventory = { for row in local.rows : row.name => row }
}

gateway "simulated" "edge" {}

machine "host" {
  for_each = local.inventory
  address  = each.value.address
}

port_range "bt" {
  for_each  = local.inventory
  machine   = machine.host[each.key]
  gateways  = [gateway.edge]
  ports     = ports(tonumber(each.value.first_port), tonumber(each.value.count))
  protocols = split(" ", each.value.protocols)
}

output "machines" {
  value = length(local.inventory)
}
