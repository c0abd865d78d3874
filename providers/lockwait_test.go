package providers

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

var theLock = Lock{On: "this gateway", Holder: "fuser tells who it is", Timeout: ChangeLockTimeout}

// A lock is waited for as long as was said, to the moment, and one that is free
// by then is taken.
func TestLockWait(t *testing.T) {
	const never = time.Duration(1<<63 - 1)
	for name, test := range map[string]struct {
		timeout *time.Duration
		held    time.Duration // how long somebody else has it
		waits   time.Duration
		says    string
	}{
		"free":                    {nil, 0, 0, ""},
		"free, not to wait":       {new(time.Duration(0)), 0, 0, ""},
		"not to wait":             {new(time.Duration(0)), time.Millisecond, 0, "in the middle of a change of this gateway, and btplan was not to wait for that to end, so nothing was done."},
		"not to wait, what to do": {new(time.Duration(0)), never, 0, "or have it wait for it, with -lock-timeout=2m"},
		"for a moment":            {nil, 40 * time.Millisecond, 50 * time.Millisecond, ""},
		"free at the last moment": {nil, ChangeLockTimeout, ChangeLockTimeout, ""},
		"as usual":                {nil, never, ChangeLockTimeout, "of this gateway, and did not come to an end in the 10s that btplan waited, so nothing was done."},
		"who it is":               {nil, never, ChangeLockTimeout, "broken off: fuser tells who it is. Run btplan again when that is done, or have it wait longer, with -lock-timeout=2m"},
		"less than any pause":     {new(20 * time.Millisecond), never, 20 * time.Millisecond, "in the 20ms that"},
		"longer":                  {new(3 * time.Minute), 2 * time.Minute, 2*time.Minute + 1150*time.Millisecond, ""},
		"longer, not had":         {new(3 * time.Minute), never, 3 * time.Minute, "in the 3m that"},
		"longer yet":              {new(time.Hour), never, time.Hour, "longer, with -lock-timeout=2h"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				err := NewLockWait(test.timeout).Do(t.Context(), theLock, func() error {
					if time.Since(start) < test.held {
						return fmt.Errorf("the script has ended: %w", ErrLocked)
					}
					return nil
				})
				if waited := time.Since(start); waited != test.waits {
					t.Errorf("waited %s, want %s", waited, test.waits)
				}
				if test.says == "" && err != nil || test.says != "" && (!errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), test.says)) {
					t.Errorf("got %v, want %q", err, test.says)
				}
			})
		})
	}
}

// The way to the device takes none of the time for its lock.
func TestLockWaitCountsFromTheFirstAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		err := NewLockWait(new(time.Second)).Do(t.Context(), theLock, func() error {
			if tries++; tries == 1 {
				time.Sleep(time.Minute) // a slow dial, in synctest's time
				return ErrLocked
			}
			return nil
		})
		if err != nil || tries != 2 {
			t.Errorf("%d tries, %v", tries, err)
		}
	})
}

// What else goes wrong is not tried again. That goes for no LockWait, too.
func TestLockWaitOtherErrors(t *testing.T) {
	broken, tries := errors.New("broken"), 0
	err := (*LockWait)(nil).Do(t.Context(), theLock, func() error { tries++; return broken })
	if !errors.Is(err, broken) || tries != 1 {
		t.Errorf("%d tries, %v", tries, err)
	}
}

// An interrupt ends the wait at once, whichever way it comes, and a device that
// had not come so far doesn't begin to wait.
func TestLockWaitInterrupted(t *testing.T) {
	for name, interrupt := range map[string]func(*LockWait, context.CancelFunc){
		"gently":  func(w *LockWait, _ context.CancelFunc) { w.GiveUp() },
		"at once": func(_ *LockWait, cancel context.CancelFunc) { cancel() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				w := NewLockWait(new(time.Hour))
				ended := make(chan error, 1)
				locked := func() error { return ErrLocked }
				go func() { ended <- w.Do(ctx, theLock, locked) }()
				synctest.Wait()
				if got := w.Waiting(); got != "somebody else's change of it to end" {
					t.Errorf("it waits for %q", got)
				}
				start := time.Now()
				interrupt(w, cancel)
				for range 2 {
					err := <-ended
					if err == nil || !strings.Contains(err.Error(), "interrupted while it waited for that to end, so nothing was done") || time.Since(start) > 0 {
						t.Errorf("after %s: %v", time.Since(start), err)
					}
					ended <- w.Do(ctx, theLock, locked)
				}
				if got := w.Waiting(); got != "" {
					t.Errorf("still waiting for %s", got)
				}
			})
		})
	}
}
