//go:build !linux

package remote

import "net"

// quickAck changes nothing: TCP_QUICKACK is an option of Linux alone.
func quickAck(conn net.Conn) net.Conn { return conn }
