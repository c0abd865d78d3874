package main

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/btplan/btplan/internal/igd"
	"github.com/btplan/btplan/internal/lab"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
	"golang.org/x/sync/errgroup"
)

// The benchmarks here compare a whole run of btplan, from the start of the
// process, with the least that any program in Go could do on the same gateway:
// so many dials and execs by x/crypto/ssh. The two take turns. x-floor is the
// ratio of their times.

// BenchmarkLabPlan: a plan of one gateway against a dial and an exec.
func BenchmarkLabPlan(b *testing.B) {
	h := newHome(b)
	h.must(0, "Apply complete!", "apply", "-auto-approve")
	floor := newFloor(b, h.Control)
	againstFloor(b,
		func() { floor.exec(b, floor.dial(b, lab.GatewayLAN), "nft -j list ruleset") },
		func() { h.must(0, "No changes.", "plan", "-detailed-exitcode") })
}

// BenchmarkLabApply: an apply against two dials and three execs. The floor's
// second exec is a change of the same kind.
func BenchmarkLabApply(b *testing.B) {
	c := newCabin(b)
	machines := []string{lab.SeedboxLAN, lab.DesktopLAN}
	c.write(machines[0])
	c.must(0, "Apply complete!", "apply", "-auto-approve")
	floor := newFloor(b, c.Control)
	n := 0
	againstFloor(b,
		func() {
			client := floor.dial(b, lab.GatewayLAN)
			floor.exec(b, client, "nft -j list ruleset")
			floor.exec(b, client, "nft 'add table inet floor; delete table inet floor'; nft -j list ruleset")
			floor.exec(b, floor.dial(b, lab.GatewayLAN), "true")
		},
		func() {
			n++
			c.write(machines[n%2])
			c.must(0, "Apply complete!", "apply", "-auto-approve")
		})
}

// BenchmarkLabManyPlans: a plan of 100 gateways against as many bare dials,
// as many at once. x-exec is the same against dials that are each followed by
// the one exec without which nobody knows what a gateway holds: what is above
// it is btplan's. rss-MB is the most memory that btplan took.
func BenchmarkLabManyPlans(b *testing.B) {
	const parallelism = 32 // btplan's default
	g := lab.NewGateways(b, 100)
	btplan, dir := lab.Build(b), writeMany(b, g)
	floor := newFloor(b, g.Control)
	all := func(visit func(*ssh.Client)) {
		var group errgroup.Group
		group.SetLimit(parallelism)
		for _, addr := range g.Addrs {
			group.Go(func() error {
				client := floor.dial(b, addr)
				visit(client)
				return client.Close()
			})
		}
		if err := group.Wait(); err != nil {
			b.Fatal(err)
		}
	}
	peak := int64(0)
	times := inTurns(b,
		func() { all(func(*ssh.Client) {}) },
		func() { all(func(client *ssh.Client) { floor.exec(b, client, "nft -j -t list ruleset") }) },
		func() {
			c := g.Control.Command(b.Context(), btplan, "-chdir="+dir, "plan")
			if out, err := c.CombinedOutput(); err != nil {
				b.Fatalf("%v:\n%s", err, out)
			}
			peak = max(peak, c.ProcessState.SysUsage().(*syscall.Rusage).Maxrss) // KiB, see getrusage(2)
		})
	report(b, times[0], times[2])
	b.ReportMetric(float64(times[2])/float64(times[1]), "x-exec")
	b.ReportMetric(float64(peak)/1024, "rss-MB")
}

// againstFloor times both, in turns.
func againstFloor(b *testing.B, floor, run func()) {
	b.Helper()
	times := inTurns(b, floor, run)
	report(b, times[0], times[1])
}

// inTurns runs all, in turns, and gives the time that each took in all.
func inTurns(b *testing.B, runs ...func()) []time.Duration {
	b.Helper()
	times := make([]time.Duration, len(runs))
	for b.Loop() {
		for i, run := range runs {
			start := time.Now()
			run()
			times[i] += time.Since(start)
		}
	}
	return times
}

// report gives the times of all runs as metrics of one.
func report(b *testing.B, floor, run time.Duration) {
	b.ReportMetric(float64(run)/float64(floor), "x-floor")
	b.ReportMetric(float64(floor.Milliseconds())/float64(b.N), "floor-ms/op")
	b.ReportMetric(float64(run.Milliseconds())/float64(b.N), "run-ms/op")
}

// floor dials as the root of a host of the lab, with its key and known hosts.
type floor struct {
	from   *lab.Host
	config ssh.ClientConfig
}

func newFloor(b *testing.B, from *lab.Host) *floor {
	b.Helper()
	key, err := ssh.ParsePrivateKey([]byte(from.ReadFile("/root/.ssh/id_ed25519")))
	if err != nil {
		b.Fatal(err)
	}
	known := filepath.Join(b.TempDir(), "known_hosts")
	if err := os.WriteFile(known, []byte(from.ReadFile("/root/.ssh/known_hosts")), 0o600); err != nil {
		b.Fatal(err)
	}
	check, err := knownhosts.New(known)
	if err != nil {
		b.Fatal(err)
	}
	return &floor{from, ssh.ClientConfig{
		User: "root", Auth: []ssh.AuthMethod{ssh.PublicKeys(key)},
		HostKeyCallback: check, HostKeyAlgorithms: []string{ssh.KeyAlgoED25519},
	}}
}

func (f *floor) dial(b *testing.B, host string) *ssh.Client {
	conn, err := f.from.Dial("tcp", host+":22", lab.Patient)
	if err != nil {
		b.Fatal(err)
	}
	transport, channels, requests, err := ssh.NewClientConn(conn, host+":22", &f.config)
	if err != nil {
		b.Fatal(err)
	}
	return ssh.NewClient(transport, channels, requests)
}

func (f *floor) exec(b *testing.B, client *ssh.Client, command string) {
	session, err := client.NewSession()
	if err != nil {
		b.Fatal(err)
	}
	if out, err := session.CombinedOutput(command); err != nil {
		b.Fatalf("%s: %v:\n%s", command, err, out)
	}
}

// BenchmarkLabUPnPPlan: a plan with nothing to do for a UPnP router whose
// address is known, against the bare calls that read its 119 mappings.
func BenchmarkLabUPnPPlan(b *testing.B) {
	h := newUPnPHome(b, lab.UPnP{})
	args := func(command string, more ...string) []string {
		return exampleArgs(command, append([]string{"-var=router=" + lab.GatewayLAN}, more...)...)
	}
	h.must(0, args("apply", "-auto-approve"), "Apply complete!")
	finder := igd.Finder{Dial: func(_ context.Context, network, address string) (net.Conn, error) {
		return h.Control.Dial(network, address, lab.Patient)
	}}
	againstFloor(b,
		func() {
			router, err := finder.Fetch(b.Context(), upnpURL)
			if err != nil {
				b.Fatal(err)
			}
			list, err := router.Connection(router.Services[0]).List(b.Context())
			if err != nil || len(list) != 119 {
				b.Fatalf("%d mappings: %v", len(list), err)
			}
		},
		func() { h.must(0, args("plan", "-detailed-exitcode"), "No changes.") })
}
