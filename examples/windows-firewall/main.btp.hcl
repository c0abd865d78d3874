# A PC with Windows that opens its ports on its own firewall, reached by the SSH
# server that Windows brings along (OpenSSH Server, an optional feature). Log in
# as an administrator. Checked against transcripts, not on a real machine.
#
#   btplan plan  -var pc=192.168.1.12 -var user=Administrator
#   btplan apply -var pc=192.168.1.12 -var user=Administrator

btplan {
  project = "home"
}

variable "pc" {
  type        = string
  default     = "192.168.1.12"
  description = "Address of the PC"
}

variable "user" {
  type        = string
  default     = "Administrator"
  description = "An administrator of the PC"
}

variable "program" {
  type        = string
  default     = null
  description = "The client's whole path, such as C:\\Program Files\\Azureus\\Azureus.exe: then the ports are open to it alone"
}

machine "pc" {
  address = var.pc
  ssh {
    user = var.user
  }
  firewall "windows" {
    program = var.program
    # mode  = "icf"   # Windows XP or Server 2003: a port at a time, for everyone
  }
}

port_range "peers" {
  machine   = machine.pc
  ports     = "6881-6889"
  protocols = ["tcp", "udp"]
}
