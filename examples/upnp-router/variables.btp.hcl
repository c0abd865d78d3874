variable "router" {
  type        = string
  default     = null
  description = "Address of the router on the LAN; null: it is searched for"
}

variable "seedbox" {
  type        = string
  default     = "192.168.1.11"
  description = "LAN address of the machine"
}

variable "ports" {
  type        = string
  default     = "6881-6999"
  description = "The ports, as a BitTorrent client is set up to use them"
}
