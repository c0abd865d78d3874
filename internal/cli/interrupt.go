package cli

import "context"

// watchInterrupts acts on Ctrl-C until ctx ends: during an apply the first one
// lets it come to a good end, any other breaks the run off. After that they are
// no longer caught: what doesn't heed ctx is ended by one more.
func (r *run) watchInterrupts(ctx context.Context, cancel context.CancelFunc) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.Interrupts:
			if !r.interruptGently() {
				// First, for the run may be over as soon as it is broken off.
				if r.Release != nil {
					r.Release()
				}
				cancel()
				return
			}
		}
	}
}

// onInterrupt sets what the next interrupt does instead of breaking the run
// off; nil takes that back. What the one before does is over when it returns.
func (r *run) onInterrupt(gently func()) {
	r.interrupting.Lock()
	defer r.interrupting.Unlock()
	r.stopGently = gently
}

// interruptGently does what onInterrupt set, once; false if there is nothing.
func (r *run) interruptGently() bool {
	r.interrupting.Lock()
	defer r.interrupting.Unlock()
	if r.stopGently == nil {
		return false
	}
	r.interrupted = true
	r.stopGently()
	r.stopGently = nil
	return true
}

// wasInterrupted says whether nothing further should be begun.
func (r *run) wasInterrupted(ctx context.Context) bool {
	r.interrupting.Lock()
	defer r.interrupting.Unlock()
	return r.interrupted || ctx.Err() != nil
}
