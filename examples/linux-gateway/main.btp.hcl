# A Linux computer as gateway, reached over SSH as root. Its packet filter is
# nftables or iptables; whatever rules it has already stay as they are.
#
#   btplan plan  -var gateway_host=192.168.1.1 -var wan_interface=ppp0
#   btplan apply -var gateway_host=192.168.1.1 -var wan_interface=ppp0

btplan {
  project = "home"
}

gateway "linux" "edge" {
  wan_interface = var.wan_interface
  ssh {
    host             = var.gateway_host
    port             = var.gateway_port
    user             = var.gateway_user
    sudo             = var.gateway_user != "root"
    identity_file    = var.identity_file
    known_hosts_file = var.known_hosts_file
  }
}

machine "seedbox" {
  address = var.seedbox
}

machine "laptop" {
  address = var.laptop
}

# The ports of the original client: 6881-6999, over TCP.
port_range "seedbox" {
  machine  = machine.seedbox
  gateways = [gateway.edge]
  ports    = "6881-6999"
}

# A second machine wants the same ports: outside they have to be others. UDP is
# for µTP and the DHT.
port_range "laptop" {
  machine   = machine.laptop
  gateways  = [gateway.edge]
  ports     = "6881-6889"
  wan_ports = "16881-16889"
  protocols = ["tcp", "udp"]
}
