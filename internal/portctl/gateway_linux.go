package portctl

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"
)

// Gateway is the IPv4 address of the gateway of this computer's default route.
// The error wraps [ErrNoGateway].
func Gateway() (netip.Addr, error) {
	content, err := os.ReadFile("/proc/net/route")
	if err != nil {
		return netip.Addr{}, fmt.Errorf("%w: %w", ErrNoGateway, err)
	}
	return parseRoutes(string(content))
}

// parseRoutes finds the gateway of the IPv4 default route with the lowest
// metric in the content of Linux's /proc/net/route (see route_seq_show in the
// kernel's net/ipv4/fib_trie.c): addresses are hexadecimal, their bytes in the
// order of the computer's memory.
func parseRoutes(content string) (netip.Addr, error) {
	const flagUp, flagGateway = 0x1, 0x2 // RTF_UP and RTF_GATEWAY
	var best netip.Addr
	lowest := uint64(1 << 32)
	for lines := bufio.NewScanner(strings.NewReader(content)); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) < 8 || fields[1] != "00000000" || fields[7] != "00000000" {
			continue // the heading, or another route
		}
		flags, err := strconv.ParseUint(fields[3], 16, 16)
		if err != nil || flags&flagUp == 0 || flags&flagGateway == 0 {
			continue
		}
		metric, err := strconv.ParseUint(fields[6], 10, 32)
		raw, badHex := hex.DecodeString(fields[2])
		if err != nil || badHex != nil || len(raw) != 4 || metric >= lowest {
			continue
		}
		var addr [4]byte
		binary.NativeEndian.PutUint32(addr[:], binary.BigEndian.Uint32(raw))
		best, lowest = netip.AddrFrom4(addr), metric
	}
	if !best.IsValid() || best.IsUnspecified() {
		return netip.Addr{}, ErrNoGateway
	}
	return best, nil
}
