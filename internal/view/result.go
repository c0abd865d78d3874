package view

import (
	"fmt"
	"strings"

	"github.com/btplan/btplan/internal/engine"
	"github.com/btplan/btplan/plan"
)

// resultText sums up an apply: what was done, and if that isn't everything,
// what wasn't.
func (p palette) resultText(r *engine.Result, unread []plan.Addr, o Options) string {
	verb := "Apply"
	if o.Destroy {
		verb = "Destroy"
	}
	if len(r.Failed)+len(r.NotAttempted)+len(unread) == 0 {
		return p.success(completeText(verb, r, o)) + "\n" + leftText(r)
	}
	var w strings.Builder
	w.WriteString(p.failure(incompleteText(verb, r)) + "\n")
	list := func(title string, names []string) {
		if len(names) > 0 {
			w.WriteString("\n" + title + ":\n  " + strings.Join(names, "\n  ") + "\n")
		}
	}
	list("Done", names(r.Done))
	list("Failed", names(r.Failed))
	list("Not attempted", names(r.NotAttempted))
	list("Could not be read, so nothing was changed there", names(unread))
	if left := leftText(r); left != "" {
		w.WriteString("\n" + left)
	}
	return w.String()
}

func completeText(verb string, r *engine.Result, o Options) string {
	c := r.Counts()
	switch {
	case o.Renew && r.Renewed() == 0:
		return "No leases to renew."
	case o.Destroy:
		return fmt.Sprintf("%s complete! Resources: %d destroyed.", verb, c.Destroy)
	}
	text := fmt.Sprintf("%s complete! Resources: %d added, %d changed, %d destroyed.", verb, c.Add, c.Change, c.Destroy)
	if n := r.Renewed(); n > 0 {
		text += " " + count(n, "lease") + " renewed."
	}
	return text
}

// leftText tells of changes that were not to be made now.
func leftText(r *engine.Result) string {
	switch r.Left {
	case 0:
		return ""
	case 1:
		return "1 other change is pending. To see it, run btplan plan.\n"
	}
	return count(r.Left, "other change") + " are pending. To see them, run btplan plan.\n"
}

func incompleteText(verb string, r *engine.Result) string {
	return fmt.Sprintf("%s incomplete: %d done, %d failed, %d not attempted.", verb, len(r.Done), len(r.Failed), len(r.NotAttempted))
}
