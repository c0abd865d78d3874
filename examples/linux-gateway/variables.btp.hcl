variable "gateway_host" {
  type        = string
  default     = "192.168.1.1"
  description = "Address of the gateway on the LAN"
}

variable "gateway_port" {
  type        = number
  default     = 22
  description = "Port of its SSH server"
}

variable "gateway_user" {
  type        = string
  default     = "root"
  description = "Who to log in as; any other than root needs passwordless sudo"
}

variable "identity_file" {
  type        = string
  default     = null
  description = "Private key; null: the agent's keys, then the usual default ones"
}

variable "known_hosts_file" {
  type        = string
  default     = null
  description = "Known host keys; null: ~/.ssh/known_hosts and the system's"
}

variable "wan_interface" {
  type        = string
  default     = null
  description = "Interface towards the Internet, such as ppp0; null: that of the default route"
}

variable "seedbox" {
  type        = string
  default     = "192.168.1.11"
  description = "LAN address of the first machine"
}

variable "laptop" {
  type        = string
  default     = "192.168.1.12"
  description = "LAN address of the second machine"
}
