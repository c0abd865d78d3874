package plan

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
)

// MaxPlanJSON is the most bytes that [ParseJSON] reads: some 100,000 resources
// of one rule each.
const MaxPlanJSON = 160 << 20

// ParseJSON reads what [Plan.JSON] wrote, white space apart. It takes nothing
// else: it works the changes out again from the rules before and after, and
// wants to find every word of the document as it would write it. So a file
// that was edited, or that a btplan with other ideas wrote, is refused. Places
// of declaration are not kept, nor are the values of sensitive variables and
// outputs.
func ParseJSON(data []byte) (*Plan, JSONExtra, error) {
	p, extra, err := parseDocument(data)
	if err != nil {
		return nil, JSONExtra{}, fmt.Errorf("this is not a plan that btplan can read: %w", err)
	}
	return p, extra, nil
}

func parseDocument(data []byte) (*Plan, JSONExtra, error) {
	if len(data) > MaxPlanJSON {
		return nil, JSONExtra{}, fmt.Errorf("it has %d bytes, more than the %d that any plan may have", len(data), MaxPlanJSON)
	}
	var doc document
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(&doc)
	if doc.FormatVersion != formatVersion && doc.FormatVersion != "" {
		// It comes first, and that another format has other members is no news.
		return nil, JSONExtra{}, fmt.Errorf("its format_version is %q, not %q", doc.FormatVersion, formatVersion)
	}
	if err != nil {
		return nil, JSONExtra{}, err
	}
	p, err := doc.plan()
	if err != nil {
		return nil, JSONExtra{}, err
	}
	extra := doc.extra()
	again, err := p.JSON(extra)
	if err != nil {
		return nil, JSONExtra{}, err
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, data); err != nil {
		return nil, JSONExtra{}, err
	}
	if !bytes.Equal(compact.Bytes(), again) {
		return nil, JSONExtra{}, fmt.Errorf("it was changed after btplan %s wrote it, or this version plans otherwise: make a new plan", printable(extra.Version))
	}
	return p, extra, nil
}

// plan works out the plan from the rules in d.
func (d *document) plan() (*Plan, error) {
	var wanted []Wanted
	var live []Live
	for i, change := range d.ResourceChanges {
		before, err := change.Change.Before.rules()
		if err != nil {
			return nil, fmt.Errorf("resource_changes[%d].change.before: %w", i, err)
		}
		after, err := change.Change.After.rules()
		if err != nil {
			return nil, fmt.Errorf("resource_changes[%d].change.after: %w", i, err)
		}
		live = append(live, before...)
		for _, l := range after {
			wanted = append(wanted, Wanted{Rule: l.Rule, Device: l.Device, Owner: l.Owner})
		}
	}
	p, _ := Diff(wanted, live) // no foreign rule, so no conflict
	for _, s := range d.Btplan.Unread {
		device, err := ParseAddr(s)
		if err != nil {
			return nil, fmt.Errorf("btplan.unread: %w", err)
		}
		p.Unread = append(p.Unread, device)
	}
	for s, n := range d.Btplan.Foreign {
		device, err := ParseAddr(s)
		if err != nil {
			return nil, fmt.Errorf("btplan.foreign: %w", err)
		}
		p.Foreign[device] = n
	}
	return p, nil
}

// rules gives an object's rules as if a device held them; none for nil.
func (o *jsonObject) rules() ([]Live, error) {
	if o == nil {
		return nil, nil
	}
	device, err := ParseAddr(o.Device)
	if err != nil {
		return nil, fmt.Errorf("device: %w", err)
	}
	owner, err := ParseAddr(o.Owner)
	if err != nil {
		return nil, fmt.Errorf("owner: %w", err)
	}
	if device.Block == BlockPortRange || owner.Block == BlockGateway {
		return nil, fmt.Errorf("%s is not a device, or %s owns no rules", device, owner)
	}
	var out []Live
	for _, kind := range []Kind{Forward, Allow, Outbound} {
		for i, j := range *o.list(kind) {
			rule, err := j.rule(kind)
			if err != nil {
				return nil, fmt.Errorf("%s[%d]: %w", kind, i, err)
			}
			out = append(out, Live{Rule: rule, Device: device, Owner: owner, Drift: j.Drift, Outdated: j.Outdated, Expires: j.Expires, Renew: j.Renew})
		}
	}
	return out, nil
}

func (j jsonRule) rule(kind Kind) (Rule, error) {
	rule := Rule{Kind: kind, Protocol: Protocol(j.Protocol)}
	var err error
	if rule.Ports, err = ParsePortRange(j.Ports); err != nil {
		return Rule{}, err
	}
	if kind == Forward {
		if rule.To, err = parseTarget(j.To); err != nil {
			return Rule{}, err
		}
	}
	for _, s := range j.Sources {
		source, err := netip.ParsePrefix(s)
		if err != nil {
			return Rule{}, fmt.Errorf("%q is not a source: %w", s, err)
		}
		rule.Sources = append(rule.Sources, source)
	}
	return rule, rule.Check()
}

// parseTarget reads what [Rule.Target] writes, but for the last port, which
// follows from the ports outside.
func parseTarget(s string) (netip.AddrPort, error) {
	port := strings.LastIndexByte(s, ':') + 1
	first, _, _ := strings.Cut(s[port:], "-")
	to, err := netip.ParseAddrPort(s[:port] + first)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("%q is not a target: %w", s, err)
	}
	return to, nil
}

// extra gives what d tells besides the plan.
func (d *document) extra() JSONExtra {
	extra := JSONExtra{
		Version:   d.Btplan.Version,
		Project:   d.Btplan.Project,
		Timestamp: d.Timestamp,
		Destroy:   d.Btplan.Destroy,
		Errored:   d.Errored,
		Targets:   d.Btplan.Targets,
	}
	for _, name := range slices.Sorted(maps.Keys(d.Variables)) {
		v := d.Variables[name]
		extra.Variables = append(extra.Variables, Value{Name: name, Value: v.Value, Sensitive: v.Sensitive})
	}
	for _, name := range slices.Sorted(maps.Keys(d.PlannedValues.Outputs)) {
		v := d.PlannedValues.Outputs[name]
		extra.Outputs = append(extra.Outputs, Value{Name: name, Type: v.Type, Value: v.Value, Sensitive: v.Sensitive})
	}
	return extra
}
