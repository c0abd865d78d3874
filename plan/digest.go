package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
)

// Digest stands for all that decides what applying p would do, as 64
// hexadecimal digits: devices, owners, actions, the rules before and after, the
// reasons, and which devices could not be read. Two plans with one digest do
// the same, so a saved plan whose digest is that of a plan made now is not
// stale. Foreign rules are not part of it, nor is the place of a declaration,
// nor are renewals: when they are due is a matter of time, and they change
// nothing.
func (p *Plan) Digest() string {
	h := sha256.New()
	fmt.Fprintln(h, "btplan plan 1")
	for _, r := range p.Resources {
		fmt.Fprintf(h, "%q %q %s\n", r.Device, r.Owner, r.Action.lasting())
		for _, c := range r.Changes {
			because := c.Because
			if c.Action == Renew {
				because = ""
			}
			fmt.Fprintf(h, " %s %s > %s %q\n", c.Action.lasting(), digested(c.Before), digested(c.After), because)
		}
	}
	unread := slices.Clone(p.Unread)
	slices.SortFunc(unread, Addr.Compare)
	for _, device := range unread {
		fmt.Fprintf(h, "unread %q\n", device)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// lasting is the action without what comes and goes with time.
func (a Action) lasting() Action {
	if a == Renew {
		return NoOp
	}
	return a
}

// digested is a rule as the digest takes it in; no two rules have one form.
func digested(r *Rule) string {
	if r == nil {
		return "-"
	}
	return r.Kind.String() + " " + r.String()
}
