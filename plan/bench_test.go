package plan

import (
	"fmt"
	"net/netip"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2"
)

// manyRules makes wanted and live rules, n resources in all, over ten devices:
// of each six, two stand, and one each is to be created, updated, replaced and
// deleted. Every tenth comes with a foreign rule that is not in the way.
func manyRules(n int) (wanted []Wanted, live []Live) {
	for i := range n {
		device := Addr{BlockGateway, "gw" + strconv.Itoa(i%10), NoKey}
		owner := Addr{BlockPortRange, "bt", TextKey("client" + strconv.Itoa(i))}
		// A device has 65535 ports a protocol, and 10,000 resources here.
		r := Rule{
			Kind:     Forward,
			Protocol: []Protocol{TCP, UDP}[i/10%2],
			Ports:    PortRange{uint16(i/20%5000*6 + 1), uint16(i/20%5000*6 + 3)},
			To:       netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 6881),
		}
		was := r
		add := func(after, before bool) {
			if after {
				wanted = append(wanted, Wanted{Rule: r, Device: device, Owner: owner, DeclRange: hcl.Range{Filename: "main.btp.hcl", Start: hcl.Pos{Line: i}}})
			}
			if before {
				live = append(live, Live{Rule: was, Device: device, Owner: owner, Handle: "handle"})
			}
		}
		switch i % 6 {
		case 0, 1:
			add(true, true)
		case 2:
			add(true, false)
		case 3:
			was.Ports.Last--
			add(true, true)
		case 4:
			was.Ports.First += 30000
			was.Ports.Last += 30000
			add(true, true)
		case 5:
			add(false, true)
		}
		if i%10 == 0 {
			foreign := Rule{Kind: Forward, Protocol: TCP, Ports: PortRange{65000, 65535}, To: r.To}
			live = append(live, Live{Rule: foreign, Device: device, Handle: "handle " + strconv.Itoa(i)})
		}
	}
	return wanted, live
}

var sizes = []int{1_000, 10_000, 100_000}

// perRule reports the time and heap that an iteration took for each rule: both
// stay what they are, whatever n is, if the work is linear.
func perRule(b *testing.B, n int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/rule")
}

func BenchmarkDiff(b *testing.B) {
	for _, n := range sizes {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			wanted, live := manyRules(n)
			b.ReportAllocs()
			for b.Loop() {
				if p, diags := Diff(wanted, live); len(p.Resources) != n || diags.HasErrors() {
					b.Fatal(len(p.Resources), diags)
				}
			}
			perRule(b, n)
			b.ReportMetric(peakHeap(func() { _, _ = Diff(wanted, live) })/(1<<20), "peak-MiB")
		})
	}
}

// BenchmarkDiffAmongForeign is Diff on one device of which all ports are
// wanted singly by one owner, and n foreign rules lie across them all.
func BenchmarkDiffAmongForeign(b *testing.B) {
	for _, n := range sizes {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			wanted, live := crowded(n)
			b.ReportAllocs()
			for b.Loop() {
				if _, diags := Diff(wanted, live); len(diags) == 0 {
					b.Fatal("no conflict")
				}
			}
			perRule(b, n+len(wanted))
		})
	}
}

func BenchmarkPlanJSON(b *testing.B) {
	for _, n := range sizes {
		p, _ := Diff(manyRules(n))
		data, err := p.JSON(JSONExtra{})
		if err != nil {
			b.Fatal(err)
		}
		b.Run("write/"+strconv.Itoa(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := p.JSON(JSONExtra{}); err != nil {
					b.Fatal(err)
				}
			}
			perRule(b, n)
			b.ReportMetric(float64(len(data))/float64(n), "B/rule")
		})
		b.Run("read/"+strconv.Itoa(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := ParseJSON(data); err != nil {
					b.Fatal(err)
				}
			}
			perRule(b, n)
		})
	}
}

// crowded makes 30,000 single-port rules wanted by as many owners, and n
// foreign rules: the first covers all ports, as does one more in a thousand;
// the others have one port each, never a wanted one.
func crowded(n int) (wanted []Wanted, live []Live) {
	device := Addr{BlockGateway, "edge", NoKey}
	to := netip.MustParseAddrPort("192.168.1.11:1")
	for port := 1; port <= 60_000; port += 2 {
		wanted = append(wanted, Wanted{
			Rule:   Rule{Kind: Forward, Protocol: TCP, Ports: PortRange{uint16(port), uint16(port)}, To: to},
			Device: device, Owner: Addr{BlockPortRange, "bt", NumKey(port)},
		})
	}
	for i := range n {
		ports := PortRange{1, maxPort}
		if i%1000 != 0 {
			port := uint16(i*2%60_000 + 2)
			ports = PortRange{port, port}
		}
		live = append(live, Live{Rule: Rule{Kind: Forward, Protocol: TCP, Ports: ports, To: to}, Device: device, Handle: fmt.Sprint("handle ", i)})
	}
	return wanted, live
}

// TestConflictsAreFoundAmongWideForeignRules has a foreign rule that covers
// every port before as many others as a device may hold. Whoever looks past it
// for each wanted rule takes 30,000 × 100,000 steps: thousands of times as long
// as without it, where the right answer takes about as long as before.
func TestConflictsAreFoundAmongWideForeignRules(t *testing.T) {
	wanted, live := crowded(100_000)
	var narrow []Live
	for _, l := range live {
		if l.Ports.Count() == 1 {
			narrow = append(narrow, l)
		}
	}
	measure := func(foreign []Live, blocked bool) time.Duration {
		byPlace := indexForeign(pointers(foreign))
		best := time.Hour
		for range 3 {
			start := time.Now()
			for _, w := range pointers(wanted) {
				if found := inTheWay([]*Wanted{w}, byPlace); (len(found) > 0) != blocked {
					t.Fatalf("%s is in the way of %s", found, w)
				}
			}
			best = min(best, time.Since(start))
		}
		return best
	}
	without, with := measure(narrow, false), measure(append(narrow, live[0]), true)
	if with > 50*without {
		t.Errorf("finding conflicts takes %s with one wide foreign rule, %s without", with, without)
	}
}

// peakHeap is how many bytes the heap grew by at most while f ran.
func peakHeap(f func()) float64 {
	var before, now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	peak := before.HeapInuse
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	for tick := time.NewTicker(time.Millisecond); ; {
		select {
		case <-done:
			tick.Stop()
			return float64(peak - before.HeapInuse)
		case <-tick.C:
			runtime.ReadMemStats(&now)
			peak = max(peak, now.HeapInuse)
		}
	}
}
