package lab

import (
	"bufio"
	"testing"
	"time"
)

func TestGateways(t *testing.T) {
	Need(t, "ssh")
	const n = 100
	start := time.Now()
	g := NewGateways(t, n)
	t.Logf("%d built in %v", n, time.Since(start))
	g.All[1].Pause()
	g.All[2].Cut()
	for i, addr := range g.Addrs {
		silent, wait := i == 1 || i == 2, Patient
		if silent {
			wait = Brief
		}
		out, err := greeting(g.Control, addr+":22", wait)
		if silent != (err != nil) {
			t.Errorf("%s greets with %q, error %v", g.All[i].Name, out, err)
		}
	}
	g.All[1].Resume()
	g.All[2].Mend()
	for _, i := range []int{0, 1, 2, n - 1} {
		got := g.Control.Run("ssh", "-o", "BatchMode=yes", "root@"+g.Addrs[i], "hostname; cat /proc/sys/net/ipv4/ip_forward; nft list ruleset")
		if want := g.All[i].Name + "\n1\n"; got != want {
			t.Errorf("%s says %q, want %q", g.Addrs[i], got, want)
		}
	}
}

// greeting is what a server says first.
func greeting(from *Host, to string, timeout time.Duration) (string, error) {
	conn, err := from.Dial("tcp", to, timeout)
	if err != nil {
		return "", err
	}
	if err := conn.SetDeadline(time.Now().Add(timeout)); err != nil {
		return "", err
	}
	return bufio.NewReader(conn).ReadString('\n')
}
