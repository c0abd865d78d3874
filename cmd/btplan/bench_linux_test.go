package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/btplan/btplan/internal/lab"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// BenchmarkLabPlan compares a whole `btplan plan`, from the start of the
// process, with the least that any program in Go could do to look at the same
// gateway: one dial and one exec of nft by x/crypto/ssh. The two take turns;
// x-floor is the ratio of their times.
func BenchmarkLabPlan(b *testing.B) {
	h := newHome(b)
	h.must(0, "Apply complete!", "apply", "-auto-approve")
	floor := newFloor(b, h)
	var planTime, floorTime time.Duration
	for b.Loop() {
		start := time.Now()
		floor()
		middle := time.Now()
		h.must(0, "No changes.", "plan", "-detailed-exitcode")
		floorTime += middle.Sub(start)
		planTime += time.Since(middle)
	}
	b.ReportMetric(float64(planTime)/float64(floorTime), "x-floor")
	b.ReportMetric(float64(floorTime.Milliseconds())/float64(b.N), "floor-ms")
	b.ReportMetric(float64(planTime.Milliseconds())/float64(b.N), "plan-ms")
}

// newFloor gives a dial and an exec with the control host's key.
func newFloor(b *testing.B, h *home) func() {
	b.Helper()
	key, err := ssh.ParsePrivateKey([]byte(h.Control.ReadFile("/root/.ssh/id_ed25519")))
	if err != nil {
		b.Fatal(err)
	}
	known := filepath.Join(b.TempDir(), "known_hosts")
	if err := os.WriteFile(known, []byte(h.Control.ReadFile("/root/.ssh/known_hosts")), 0o600); err != nil {
		b.Fatal(err)
	}
	check, err := knownhosts.New(known)
	if err != nil {
		b.Fatal(err)
	}
	config := &ssh.ClientConfig{User: "root", Auth: []ssh.AuthMethod{ssh.PublicKeys(key)}, HostKeyCallback: check,
		HostKeyAlgorithms: []string{ssh.KeyAlgoED25519}}
	return func() {
		conn, err := h.Control.Dial("tcp", lab.GatewayLAN+":22", lab.Patient)
		if err != nil {
			b.Fatal(err)
		}
		transport, channels, requests, err := ssh.NewClientConn(conn, lab.GatewayLAN+":22", config)
		if err != nil {
			b.Fatal(err)
		}
		client := ssh.NewClient(transport, channels, requests)
		session, err := client.NewSession()
		if err != nil {
			b.Fatal(err)
		}
		if _, err := session.Output("nft -j list ruleset"); err != nil {
			b.Fatal(err)
		}
		if err := client.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
