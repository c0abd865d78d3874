package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
)

// locked is a fake whose lock somebody else has, until a moment.
type locked struct {
	*fake
	wait *providers.LockWait
	free time.Time
}

func (l *locked) Apply(ctx context.Context, changes []plan.Change, done func(plan.Change, error)) error {
	lock := providers.Lock{On: "this gateway", Holder: "nobody tells", Timeout: providers.ChangeLockTimeout}
	err := l.wait.Do(ctx, lock, func() error {
		if time.Now().Before(l.free) {
			return providers.ErrLocked
		}
		return nil
	})
	if err == nil {
		return l.fake.Apply(ctx, changes, done)
	}
	for _, c := range changes {
		done(c, err)
	}
	return err
}

// lockedEngine is an engine with two gateways, of which a is locked for so long.
func lockedEngine(t *testing.T, held time.Duration, timeout *time.Duration) *Engine {
	t.Helper()
	w := newWorld()
	e := w.engine(t, `
btplan {
  project = "home"
}
machine "pc" {
  address = "192.168.1.11"
}
gateway "fake" "a" {}
gateway "fake" "b" {}
port_range "pc" {
  machine  = machine.pc
  gateways = [gateway.a, gateway.b]
  ports    = 6881
}
`)
	e.LockTimeout = timeout
	free := time.Now().Add(held)
	e.Gateways = map[string]providers.Type{"fake": {Name: "fake", Open: func(s providers.Settings) (providers.Device, error) {
		if s.Addr.Name == "b" {
			return &fake{s.Addr, w}, nil
		}
		return &locked{&fake{s.Addr, w}, s.LockWait, free}, nil
	}}}
	return e
}

// A device that is locked for longer than LockTimeout is not changed, which the
// others are; one that is locked for less is.
func TestLockTimeout(t *testing.T) {
	for name, test := range map[string]struct {
		timeout *time.Duration
		took    time.Duration
		says    string
	}{
		"usual":  {nil, providers.ChangeLockTimeout, "in the 10s that btplan waited"},
		"none":   {new(time.Duration(0)), 0, "was not to wait"},
		"longer": {new(2 * time.Minute), time.Minute, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := lockedEngine(t, time.Minute, test.timeout)
				p := planned(t, e)
				start := time.Now()
				result, diags := e.Apply(t.Context(), p)
				if took := time.Since(start); took < test.took || took > test.took+2*time.Second {
					t.Errorf("it took %s, want %s", took, test.took)
				}
				if test.says == "" {
					if len(diags) > 0 || len(result.Done) != 2 {
						t.Errorf("got %+v, %v", result, diags)
					}
					return
				}
				if summaries(diags) != "gateway.a could not be changed" || !strings.Contains(diags[0].Detail, test.says) {
					t.Errorf("said %v, want %q", diags, test.says)
				}
				if done, failed := names(result.Done), names(result.Failed); !slices.Equal(done, []string{"gateway.b: port_range.pc"}) || !slices.Equal(failed, []string{"gateway.a: port_range.pc"}) {
					t.Errorf("done %q, failed %q", done, failed)
				}
			})
		})
	}
}

// Who asks what takes so long is told of the lock, and Stop ends the wait for it.
func TestStopEndsTheWaitForALock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := lockedEngine(t, time.Hour, new(time.Hour))
		var waiting func() string
		e.Observe = func(ev Event) {
			if ev.Kind == ApplyStarted && ev.Device.Name == "a" {
				waiting = ev.Waiting
			}
		}
		p := planned(t, e)
		start, ended := time.Now(), make(chan string)
		go func() {
			_, diags := e.Apply(t.Context(), p)
			ended <- fmt.Sprint(diags)
		}()
		synctest.Wait()
		if got := waiting(); got != "somebody else's change of it to end" {
			t.Errorf("it waits for %q", got)
		}
		e.Stop()
		if said := <-ended; !strings.Contains(said, "interrupted while it waited") || time.Since(start) > 0 {
			t.Errorf("after %s: %s", time.Since(start), said)
		}
		if got := waiting(); got != "" {
			t.Errorf("it still waits for %q", got)
		}
	})
}
