package providers

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// How long a device's lock is waited for where the user doesn't say. To wait
// before a reading costs nothing; what is to be changed was planned from a
// reading, and who has the lock may well make it a plan for nothing.
const (
	ReadLockTimeout   = 30 * time.Second
	ChangeLockTimeout = 10 * time.Second
)

// How long a lock that somebody else has is left alone before it is asked for
// again: most changes take a moment.
const (
	firstLockPause   = 50 * time.Millisecond
	longestLockPause = 2 * time.Second
)

// LockWait is the waiting of one device for others that are in the middle of a
// change of it. It is done here and not on the device, which is only asked
// again and again: so no change is made there once nobody waits for it any
// more. nil waits as long as is usual.
type LockWait struct {
	timeout *time.Duration
	over    chan struct{}
	once    sync.Once
	pausing atomic.Bool
}

// NewLockWait waits for so long each time, 0: not at all, nil: as long as is
// usual.
func NewLockWait(timeout *time.Duration) *LockWait {
	return &LockWait{timeout: timeout, over: make(chan struct{})}
}

// GiveUp ends the waiting, and whatever would begin later. A change that has
// the lock goes on.
func (w *LockWait) GiveUp() { w.once.Do(func() { close(w.over) }) }

// Waiting says what the device waits for at this moment, in words that follow
// "waiting for"; "" if it isn't for its lock.
func (w *LockWait) Waiting() string {
	if !w.pausing.Load() {
		return ""
	}
	return "somebody else's change of it to end"
}

// Lock is the lock of a device.
type Lock struct {
	On      string        // what it keeps others off: "this gateway"
	Holder  string        // how to find out who has it, a clause about "it"
	Timeout time.Duration // how long it is waited for where the user doesn't say
}

// Do has try take the lock and do what needs it, again and again as long as its
// error is [ErrLocked]. When it has been so for too long, the error is one that
// tells the user.
func (w *LockWait) Do(ctx context.Context, l Lock, try func() error) error {
	if w == nil {
		w = &LockWait{}
	}
	if w.timeout != nil {
		l.Timeout = *w.timeout
	}
	var until time.Time
	for pause := firstLockPause; ; pause = min(2*pause, longestLockPause) {
		err := try()
		if !errors.Is(err, ErrLocked) {
			return err
		}
		if until.IsZero() { // the way to the device doesn't count
			until = time.Now().Add(l.Timeout)
		}
		left := time.Until(until)
		if left <= 0 {
			return l.notHad()
		}
		if err := w.pause(ctx, min(pause, left)); err != nil {
			return Flag(fmt.Errorf("somebody else is in the middle of a change of %s, and btplan was interrupted while it waited for that to end, so nothing was done", l.On), err)
		}
	}
}

// pause lets time go by. The error is why it was cut short.
func (w *LockWait) pause(ctx context.Context, d time.Duration) error {
	w.pausing.Store(true)
	defer w.pausing.Store(false)
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-w.over:
		return ErrLocked
	case <-ctx.Done():
		return ctx.Err()
	}
}

// notHad is the fate of who has waited for long enough.
func (l Lock) notHad() error {
	const enough = 2 * time.Minute
	waited := fmt.Sprintf("did not come to an end in the %s that btplan waited", spell(l.Timeout))
	longer := "longer, with -lock-timeout=" + spell(max(enough, 2*l.Timeout))
	if l.Timeout == 0 {
		waited, longer = "btplan was not to wait for that to end", "for it, with -lock-timeout="+spell(enough)
	}
	return Flag(fmt.Errorf("somebody else is in the middle of a change of %s, and %s, so nothing was done. It may be another btplan, of any project and from any computer, or what is left of one that was broken off: %s. Run btplan again when that is done, or have it wait %s",
		l.On, waited, l.Holder, longer), ErrLocked)
}

// spell writes a duration as people do: "2m", not "2m0s".
func spell(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
