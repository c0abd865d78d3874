// Package firewalld is firewalld(1), by D-Bus. A project has policies of its own
// there, with rich rules: see firewalld.policies(5) and
// firewalld.richlanguage(5).
package firewalld

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/btplan/btplan/internal/script"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
	"github.com/btplan/btplan/providers/hostfw/host"
)

// Kind is firewalld, the firewall of Fedora, RHEL and openSUSE: see
// firewalld.policy(5) and firewalld.dbus(5).
//
// Our rules are in policies of our own, one for each project and direction,
// because firewalld takes up a new policy only when it reloads; what is in one
// that is there can be changed at any time. The file of a policy makes it last.
// The rules are rich rules rather than ports, for ports that are next to each
// other become one. firewall-cmd takes 0.3 s for each call and busctl a
// twentieth of that, so all goes by busctl.
var Kind = host.Kind{Name: "firewalld", Script: readScript, Read: readFirewalld}

func readScript(_ string, whole bool) string {
	return `if command -v firewall-cmd >/dev/null && [ -d /etc/firewalld ]; then
	section firewalld
	` + list(whole) + `
fi
`
}

// Where policies are, and rules that firewalld hands on as they are.
const (
	policiesDir = "/etc/firewalld/policies"
	directFile  = "/etc/firewalld/direct.xml"
)

// busHead defines how firewalld is called. It is not to be started by that.
const busHead = `fw=org.fedoraproject.FirewallD1
at=/org/fedoraproject/FirewallD1
bus() { busctl --system --auto-start=no --timeout=60 "$@" </dev/null; }
`

// list spells the commands that print the policies' files and, where
// firewalld runs, the settings of policies and of zones as they are now: those
// zones that are in use, and of the whole all others too. A group separator
// and a name begin each.
//
// The words of the active zones are their names, and those of their interfaces
// and sources: one that is named like a zone makes that count as in use.
func list(whole bool) string {
	others := ""
	if whole {
		others = "\t\teach \"$all\" zone others\n"
	}
	return `{
	` + busHead + `	ls /etc/firewalld >/dev/null || exit # who may not look sees no files
	for f in ` + policiesDir + `/*.xml; do
		[ ! -e "$f" ] || { printf '\035file %s\n' "$f" && cat "$f"; } || exit
	done
	[ ! -e ` + directFile + ` ] || { printf '\035direct\n' && cat ` + directFile + `; } || exit
	if ! command -v busctl >/dev/null; then
		printf '\035no busctl\n'
	elif state=$(bus get-property $fw $at $fw state 2>&1); then
		default=$(bus call $fw $at $fw getDefaultZone) || exit
		active=$(bus call $fw $at $fw.zone getActiveZones) || exit
		all=$(bus call $fw $at $fw.zone getZones) || exit
		policies=$(bus call $fw $at $fw.policy getPolicies 2>/dev/null) # there are none before 0.9
		each() { # runs a command with each name of a list
			for name in $1; do
				case $name in '"'*) name=${name#?} && $2 "${name%?}" "$3" ;; esac
			done
		}
		zone() {
			case $default$active in *'"'$1'"'*) is=used ;; *) is=others ;; esac
			[ $is = $2 ] || return 0
			printf '\035zone %s %s\n' "$1" $is
			bus call $fw $at $fw.zone getZoneSettings2 s "$1" || exit
		}
		policy() {
			printf '\035policy %s\n' "$1"
			bus call $fw $at $fw.policy getPolicySettings s "$1" || exit
		}
		printf '\035state now\n%s\n' "$state"
		each "$all" zone used
		each "$policies" policy
` + others + `	else
		case $state in
		# No bus, or nobody of that name on it: it doesn't run.
		*"No such file"* | *"Connection refused"* | *"not provided"* | *"not activatable"* | *"Could not activate"*) ;;
		*) printf 'firewalld can not be asked: %s\n' "$state" >&2 && exit 1 ;;
		esac
	fi
}`
}

// firewalld is a firewalld in the state in which it was read.
type firewalld struct {
	host.KeepsRules
	project string
	active  bool
	listed  []byte
	whole   bool
	files   map[string]*policy  // the policies by their names, as they are to be after a reload
	zones   map[string]settings // those in use as they are now, and of the whole all
	now     map[string]settings // the policies as they are now
	inUse   []string            // the zones that packets can come in by
	direct  []string            // direct rules that drop whatever the machine sends
	ours    []described
}

// settings are those of one zone or policy at this moment.
type settings struct {
	line string // as busctl prints them
	dict map[string]busValue
}

// rich gives the rich rules, which a zone and a policy have by different names.
func (s settings) rich() []string {
	return append(s.dict["rich_rules"].strings(), s.dict["rules_str"].strings()...)
}

func readFirewalld(project string, p script.Printed) (*host.Holding, error) {
	listed, there := p["firewalld"]
	if !there {
		return nil, nil
	}
	f := &firewalld{
		project: project, listed: listed,
		files: map[string]*policy{}, zones: map[string]settings{}, now: map[string]settings{},
	}
	if err := f.parse(listed); err != nil {
		return nil, fmt.Errorf("what firewalld holds can't be made sense of: %w", err)
	}
	if f.active && len(f.now) == 0 {
		return nil, providers.Flag(errors.New("this firewalld has no policies, as firewalld has since 0.9: install a newer one, or open the ports by hand and take the firewall block out"), providers.ErrUnsupported)
	}
	h := &host.Holding{Filter: f, Active: f.active}
	drops, accepts := f.outward()
	h.DropsOutbound = drops
	h.Rules = slices.Concat(f.live(), f.foreign(), accepts)
	h.Problems = f.Obstacles(h.Ours().Rules())
	if !f.active {
		h.Problems = append(h.Problems, providers.Problem{
			Summary: "firewalld is not running",
			Detail:  "firewalld is installed, but does not run, so it shuts no port. The rules are put into its permanent configuration all the same, and count from when it is started.",
			OfRules: true,
		})
	}
	return h, nil
}

// parse reads what firewalldList printed.
func (f *firewalld) parse(listed []byte) error {
	for i, part := range bytes.Split(listed, []byte{0x1d}) {
		head, body, found := strings.Cut(string(part), "\n")
		if i == 0 || !found {
			continue
		}
		what, name, _ := strings.Cut(head, " ")
		words, err := busWords(body)
		if err != nil && what != "file" && what != "direct" {
			return fmt.Errorf("%s: %w", head, err)
		}
		switch what {
		case "no":
			return providers.Flag(errors.New("there is no busctl on the machine, by which btplan talks to firewalld: it comes with systemd"), providers.ErrUnsupported)
		case "file":
			p, err := parsePolicy([]byte(body))
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			f.files[strings.TrimSuffix(strings.TrimPrefix(name, policiesDir+"/"), ".xml")] = p
		case "direct":
			if f.direct, err = parseDirect([]byte(body)); err != nil {
				return fmt.Errorf("%s: %w", directFile, err)
			}
		case "state":
			f.active = slices.Contains(words, "RUNNING")
			if !f.active {
				return fmt.Errorf("its state is %q: see firewall-cmd --state, and its log", strings.Join(words, " "))
			}
		case "zone", "policy":
			dict, err := parseBusDict(body)
			if err != nil {
				return fmt.Errorf("%s: %w", head, err)
			}
			s := settings{strings.TrimSuffix(body, "\n"), dict}
			name, use, _ := strings.Cut(name, " ")
			if what == "policy" {
				f.now[name] = s
				break
			}
			f.zones[name] = s
			if use == "used" {
				f.inUse = append(f.inUse, name)
			} else {
				f.whole = true
			}
		}
	}
	for _, fr := range frames {
		own := f.files[fr.name(f.project)]
		if own == nil {
			continue
		}
		for _, d := range parseDescription(fr.kind, own.Description) {
			if project, _, ok := plan.ParseMark(d.mark); ok && project == f.project {
				f.ours = append(f.ours, d)
			}
		}
	}
	return nil
}

func (f *firewalld) String() string { return "firewalld" }

func (f *firewalld) Listing() (command string, printed []byte) {
	return list(f.whole), f.listed
}
