# A computer that opens its ports on its own firewall, reached over SSH. Whatever
# rules it has already stay as they are. The port by which btplan comes in is
# never touched.
#
#   btplan plan  -var seedbox=192.168.1.11
#   btplan apply -var seedbox=192.168.1.11

btplan {
  project = "home"
}

variable "seedbox" {
  type        = string
  default     = "192.168.1.11"
  description = "Address of the machine"
}

variable "user" {
  type        = string
  default     = "root"
  description = "Who to log in as; any other than root needs passwordless sudo"
}

variable "lan" {
  type        = list(string)
  default     = ["192.168.1.0/24"]
  description = "Who may come to the client's web interface"
}

# "auto" takes the firewall that is active, and the plan says which one that is.
# To name it, write "ufw" or "firewalld" instead.
machine "seedbox" {
  address = var.seedbox
  ssh {
    user = var.user
    sudo = var.user != "root"
  }
  firewall "auto" {}
}

# No gateway: the machine has a public address, or its router is somebody else's
# business. With gateways = [...] the same ports are forwarded to it as well.
port_range "peers" {
  machine   = machine.seedbox
  ports     = "6881-6889"
  protocols = ["tcp", "udp"]
}

port_range "web" {
  machine = machine.seedbox
  ports   = 9091
  sources = var.lan
}
