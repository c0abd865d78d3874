//go:build linux

package lab

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"

	"golang.org/x/sys/unix"
)

// What a [UPnP] has unless it says otherwise.
const (
	// UPnPExternal is the address that the router says it has on the
	// Internet. miniupnpd serves only where that looks like a public one,
	// which the lab's own are not. No packet is ever sent to it.
	UPnPExternal = "11.22.33.44"
	// UPnPUUID identifies the router.
	UPnPUUID = "6bf54d2c-3c7d-4b0f-9c3a-77a1c0de0001"
	// UPnPPort is the TCP port of its descriptions and its SOAP.
	UPnPPort = 5000
)

// UPnP is how miniupnpd(8) serves. The zero UPnP is a router with an IGD v2,
// in which any host may map ports to any other.
type UPnP struct {
	// V1 has the router describe itself as an IGD v1.
	V1 bool
	// Secure has each host map ports to itself alone.
	Secure bool
	// Private leaves the router the address that its WAN interface has, which
	// is not a public one: it then maps nothing.
	Private bool
	// NATPMP has the router answer NAT-PMP and PCP as well.
	NATPMP bool
	// MinLifetime and MaxLifetime are the limits of a mapping's lifetime by
	// NAT-PMP and PCP, in seconds; 0: miniupnpd's own.
	MinLifetime, MaxLifetime int
	UUID                     string // by default UPnPUUID
	Port                     int    // by default UPnPPort
	// Lines are more lines of miniupnpd.conf, such as permission rules.
	Lines []string
}

// ServeUPnP starts miniupnpd in the host, whose interfaces are wan0 and lan0,
// with the chains in which it puts its nft rules, and returns when it answers.
// The process's output is what miniupnpd writes to the system's log. One that
// runs already is stopped. Mappings are gone by then, as they are after a
// restart of the host, which starts it again.
func (h *Host) ServeUPnP(opts UPnP) *Process {
	h.lab.t.Helper()
	Need(h.lab.t, "miniupnpd", "nft", "tail")
	serve := func() (err error) {
		h.upnp, err = h.serveUPnP(opts)
		return err
	}
	var err error
	if h.upnp == nil {
		h.startUPnP = serve
		err = h.do(func() error { return h.startUPnP() })
	} else {
		h.upnp.Stop()
		h.startUPnP = serve
		err = serve()
	}
	if err != nil {
		h.lab.t.Fatalf("lab: %s: %v", h.Name, err)
	}
	return h.upnp
}

// upnpChains are where miniupnpd puts its rules, as Debian's nft_init.sh makes
// them. In the filter table of [NAT]'s gateway its accepts come last.
const upnpChains = `table inet filter {
	chain miniupnpd { }
	chain prerouting_miniupnpd { }
	chain postrouting_miniupnpd { }
	chain forward {
		type filter hook forward priority filter;
		jump miniupnpd;
	}
	chain prerouting {
		type nat hook prerouting priority dstnat;
		jump prerouting_miniupnpd;
	}
	chain postrouting {
		type nat hook postrouting priority srcnat;
		jump postrouting_miniupnpd;
	}
}
flush chain inet filter miniupnpd
flush chain inet filter prerouting_miniupnpd
flush chain inet filter postrouting_miniupnpd
`

// upnpScript runs miniupnpd, says when it listens to 239.255.255.250, which it
// does after all else is open, and ends with it. It can't be had in the
// foreground without its debugging output, which makes it slow.
const upnpScript = `set -eu
miniupnpd -f "$1" -P "$2"
for i in $(seq 500); do
	if [ -s "$2" ] && grep -q FAFFFFEF /proc/net/igmp; then
		echo "miniupnpd is ready"
		exec tail --pid="$(cat "$2")" -s 0.02 -f /dev/null
	fi
	sleep 0.02
done
exit 1
`

func (h *Host) serveUPnP(opts UPnP) (*Process, error) {
	if err := h.upnpBackend(); err != nil {
		return nil, err
	}
	const pid, dir = "/run/miniupnpd.pid", "/etc/miniupnpd/"
	const config, chains, script = dir + "lab.conf", dir + "lab.nft", dir + "lab.sh"
	err := errors.Join(
		h.write(config, opts.config(), os.O_CREATE|os.O_TRUNC, 0o644),
		h.write(script, upnpScript, os.O_CREATE|os.O_TRUNC, 0o755),
		h.write(chains, upnpChains, os.O_CREATE|os.O_TRUNC, 0o644))
	if err != nil {
		return nil, err
	}
	if _, err := h.Try("nft", "-f", chains); err != nil {
		return nil, err
	}
	p := h.newProcess("sh", script, config, pid)
	p.kill = func() error {
		_, err := h.Try("sh", "-euc", `kill -KILL "$(cat "$1")"; rm "$1"`, "sh", pid)
		return err
	}
	if err := h.serveLog(&p.output); err != nil {
		return nil, err
	}
	if err := h.launch(p); err != nil {
		return nil, err
	}
	ready := []string{"miniupnpd is ready"}
	if opts.NATPMP {
		ready = append(ready, "Listening for NAT-PMP/PCP traffic")
	}
	return p, p.await(ready...)
}

// upnpBackend sees that miniupnpd is the one that makes nft rules.
func (h *Host) upnpBackend() error {
	version, err := h.Try("miniupnpd", "--version")
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return err
	}
	if !strings.Contains(version, "nftables") {
		return fmt.Errorf("the lab needs the miniupnpd of Debian's package miniupnpd-nftables, not this one: %s", version)
	}
	return nil
}

// config is the content of miniupnpd.conf.
func (u UPnP) config() string {
	yes := map[bool]string{true: "yes", false: "no"}
	lines := []string{
		"ext_ifname=wan0",
		"listening_ip=lan0",
		fmt.Sprintf("http_port=%d", cmp.Or(u.Port, UPnPPort)),
		"uuid=" + cmp.Or(u.UUID, UPnPUUID),
		"secure_mode=" + yes[u.Secure],
		"force_igd_desc_v1=" + yes[u.V1],
		"enable_natpmp=" + yes[u.NATPMP],
		"system_uptime=no",
		"ipv6_disable=yes",
	}
	if !u.Private {
		lines = append(lines, "ext_ip="+UPnPExternal)
	}
	if u.MinLifetime > 0 {
		lines = append(lines, fmt.Sprintf("min_lifetime=%d", u.MinLifetime))
	}
	if u.MaxLifetime > 0 {
		lines = append(lines, fmt.Sprintf("max_lifetime=%d", u.MaxLifetime))
	}
	return strings.Join(append(lines, u.Lines...), "\n") + "\n"
}

// serveLog has what the host's programs write to the system's log go to out,
// from now on and until the host ends. The host's /dev becomes its own.
func (h *Host) serveLog(out *transcript) error {
	var log *net.UnixConn
	err := h.Enter(func() error {
		if err := ownDevices(); err != nil {
			return err
		}
		const path = "/dev/log"
		if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
			return err
		}
		var err error
		log, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
		return err
	})
	if err != nil {
		return fmt.Errorf("serve the system's log: %w", err)
	}
	h.keep(log)
	go func() {
		buf := make([]byte, 64<<10)
		for {
			n, err := log.Read(buf)
			if err != nil {
				return // closed
			}
			_, _ = out.Write(append(buf[:n:n], '\n')) // it takes everything
		}
	}()
	return nil
}

// ownDevices mounts a /dev that takes changes for itself, if it isn't one.
func ownDevices() error {
	var now unix.Statfs_t
	if err := unix.Statfs("/dev", &now); err != nil {
		return err
	}
	if now.Type == unix.OVERLAYFS_SUPER_MAGIC {
		return nil
	}
	for _, dir := range []string{"/run/dev", "/run/dev.work"} {
		if err := os.Mkdir(dir, 0o755); err != nil { // #nosec G301 -- the usual mode of /dev
			return err
		}
	}
	return unix.Mount("dev", "/dev", "overlay", 0, "lowerdir=/dev,upperdir=/run/dev,workdir=/run/dev.work")
}
