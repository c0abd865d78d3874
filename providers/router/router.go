// Package router is consumer routers, by the protocols in which programs ask
// them for ports: UPnP, NAT-PMP and PCP. Such a router maps one port at a time,
// has its own idea of how long that lasts, and often does something else than
// the documents say; internal/igd and internal/portctl speak with it.
package router
