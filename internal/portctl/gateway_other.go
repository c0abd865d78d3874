//go:build !linux

package portctl

import (
	"fmt"
	"net/netip"
	"runtime"
)

// Gateway is the IPv4 address of the gateway of this computer's default route.
// The error wraps [ErrNoGateway].
func Gateway() (netip.Addr, error) {
	return netip.Addr{}, fmt.Errorf("%w: btplan does not look for it on %s", ErrNoGateway, runtime.GOOS)
}
