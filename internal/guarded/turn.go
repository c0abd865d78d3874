package guarded

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/btplan/btplan/internal/remote"
	"github.com/btplan/btplan/internal/script"
	"github.com/btplan/btplan/providers"
)

// Read runs a command that begins with script.SharedLock, or has that on its
// standard input, once nobody is in the middle of a change.
func (d *Device) Read(ctx context.Context, command string, stdin []byte) ([]byte, error) {
	return d.RunInTurn(ctx, providers.ReadLockTimeout, command, stdin)
}

// RunInTurn runs a command that ends with script.ExitBusy, having done nothing,
// where somebody else is in the middle of a change: again until they have come
// to an end, or until this has taken too long, which is providers.ErrLocked.
// usual is how long that is where the user doesn't say.
func (d *Device) RunInTurn(ctx context.Context, usual time.Duration, command string, stdin []byte) (out []byte, err error) {
	err = d.inTurn(ctx, usual, func() (err error) {
		out, err = d.Runner.Run(ctx, command, stdin)
		return err
	})
	return out, err
}

func (d *Device) inTurn(ctx context.Context, usual time.Duration, try func() error) error {
	lock := providers.Lock{
		On:      "this " + d.Noun,
		Holder:  fmt.Sprintf("on the %s, fuser %s tells which process it is", d.Noun, cmp.Or(d.LockFile, script.LockFile)),
		Timeout: usual,
	}
	return d.LockWait.Do(ctx, lock, func() error {
		err := try()
		var exit *remote.ExitError
		if errors.As(err, &exit) && exit.Code == script.ExitBusy {
			return providers.Flag(err, providers.ErrLocked)
		}
		return err
	})
}
