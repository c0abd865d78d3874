# A Mac that opens its ports in pf, if somebody has turned pf on, and has its
# application firewall let the client in. Turn on Remote Login in System
# Settings, and let the user run sudo without a password. Checked against
# transcripts, not on a real machine.
#
#   btplan plan  -var mac=192.168.1.13 -var user=me
#   btplan apply -var mac=192.168.1.13 -var user=me

btplan {
  project = "home"
}

variable "mac" {
  type        = string
  default     = "192.168.1.13"
  description = "Address of the Mac"
}

variable "user" {
  type        = string
  default     = "me"
  description = "Who to log in as"
}

variable "program" {
  type        = string
  default     = "/Applications/Transmission.app"
  description = "The client, for the application firewall"
}

machine "mac" {
  address = var.mac
  ssh {
    user = var.user
    sudo = true
  }
  firewall "macos" {
    program = var.program
  }
}

port_range "peers" {
  machine   = machine.mac
  ports     = "6881-6889"
  protocols = ["tcp", "udp"]
}
