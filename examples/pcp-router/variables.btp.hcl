variable "router" {
  type        = string
  default     = null
  description = "Address of the router on the LAN; null: the gateway of this computer's default route"
}

variable "seedbox" {
  type        = string
  default     = "192.168.1.11"
  description = "LAN address of the machine that the ports are for"
}
