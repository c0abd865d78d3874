package windows

import (
	"fmt"
	"strings"

	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
	"github.com/btplan/btplan/providers/hostfw/host"
)

// maxICFEntry is how many characters of name and addresses an entry gets: with
// the rest of its command, they have to fit into a command line of Windows, which
// has 8,191. That Windows has a limit of its own its documentation doesn't say;
// if it has one, reading back finds it.
const maxICFEntry = 7000

// refusePorts keeps off openings of others that are turned off: Windows has one
// for a port, and ours would take its place.
func (c *icf) refusePorts(rules []plan.Rule) *providers.Problem {
	for _, r := range rules {
		at := portOf(r)
		for _, o := range c.others[at] {
			if o.mode == icfOff {
				return &providers.Problem{
					Summary: "A rule shuts these ports",
					Detail:  fmt.Sprintf("The Windows firewall has the entry %q for %s port %d, which is turned off. btplan does not open what someone has shut on purpose: delete that entry, by netsh firewall delete portopening protocol=%[2]s port=%[3]d profile=ALL, or choose other ports.", o.name, at.protocol, at.port),
				}
			}
		}
	}
	return nil
}

// refuse keeps off what somebody else has made for our program, or our ports.
func (c *icf) refuse(w *windows, changes []plan.Change) *providers.Problem {
	if w.program == "" {
		return c.refusePorts(host.WantedOf(changes))
	}
	p := c.programs[strings.ToLower(w.program)]
	if p.taken != "" && len(host.WantedOf(changes)) > 0 {
		return p.refusal(w.program)
	}
	after, err := w.last.seen().Changed(changes)
	if err != nil {
		return nil // Apply says what is wrong
	}
	parts := p.parts(w.project, after)
	if n := len(icfName(parts)) + len(strings.Join(icfScope(parts), "")); n > maxICFEntry {
		return &providers.Problem{
			Summary: "Too much for the entry of one program",
			Detail:  fmt.Sprintf("With these ports and sources, the name of the program's entry in the Windows firewall, in which btplan keeps account of them, would have %d characters, and there is room for %d. Write ranges of ports instead of single ones, or fewer sources. Or leave program out: then each port is opened for whatever program listens on it.", n, maxICFEntry),
		}
	}
	return nil
}

// refusal says that the entry of our program is somebody else's.
func (p icfProgram) refusal(program string) *providers.Problem {
	if p.off {
		return &providers.Problem{
			Summary: "A rule shuts out this program",
			Detail:  fmt.Sprintf("The Windows firewall has the entry %q for %s, which is turned off. btplan does not open what someone has shut on purpose: delete that entry, or leave the program out of the firewall block.", p.taken, program),
		}
	}
	return &providers.Problem{
		Summary: "The program has an entry already",
		Detail:  fmt.Sprintf("The Windows firewall lets %s in by the entry %q, which this project did not make, and Windows XP has one entry for a program. btplan never touches it. If it does what you want, take the firewall block away; else delete it, by netsh firewall delete allowedprogram program=\"%[1]s\" profile=ALL, and run btplan again.", program, p.taken),
	}
}

// adviseICF tells what a rule for a program comes to on Windows XP.
func (w *windows) adviseICF(changes []plan.Change) []providers.Problem {
	if w.mode != modeICF || w.program == "" || len(host.WantedOf(changes)) == 0 {
		return nil
	}
	return []providers.Problem{{
		Summary: "The program is let in on every port",
		Detail:  fmt.Sprintf("The firewall of Windows XP and Server 2003 lets a program in on all ports that it listens on, or on none. So %s is let in on others than these too, from wherever one of its port_ranges lets someone in. Its own settings say on which ports it listens.", w.program),
	}}
}
