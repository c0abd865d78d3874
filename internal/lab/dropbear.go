//go:build linux

package lab

// Where Dropbear's host key is.
const dropbearKey = "/etc/dropbear/dropbear_ed25519_host_key"

// ServeDropbear makes the host one such as OpenWrt is: Dropbear on port 22, in
// place of the SSH server that it may have, with an Ed25519 host key alone, the
// same as before, and for root alone, whose login has busybox ash and no other
// tools than OpenWrt's. The names in without are tools that it has not either,
// such as "flock" or "conntrack". It returns when Dropbear listens. See
// [Host.LetIn].
func (h *Host) ServeDropbear(without ...string) *Process {
	h.lab.t.Helper()
	Need(h.lab.t, "dropbear", "dropbearconvert", "busybox", "flock")
	if _, err := h.Try("test", "-e", hostKey); err != nil {
		h.makeKey(hostKey)
	}
	h.Run("mkdir", "-p", "/etc/dropbear")
	h.Run("dropbearconvert", "openssh", "dropbear", hostKey, dropbearKey)
	if err := h.beOpenWrt(without); err != nil {
		h.lab.t.Fatalf("lab: %s: %v", h.Name, err)
	}
	// -F -E: in the foreground, with its log on standard error; -s: no
	// passwords; -r: with no other host key. It says so when it listens.
	err := h.serveSSH([]string{"dropbear", "-F", "-E", "-s", "-r", dropbearKey, "-p", "22"}, "Not backgrounding")
	if err != nil {
		h.lab.t.Fatal(err)
	}
	return h.ssh
}
