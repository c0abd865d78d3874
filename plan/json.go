package plan

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"
)

// JSONExtra is what the JSON form of a plan tells besides the plan itself.
type JSONExtra struct {
	Version   string   // btplan's own
	Project   string   // the owner in the marks
	Timestamp string   // when the plan was made, RFC 3339 in UTC; empty: not told
	Destroy   bool     // the plan is one to destroy everything
	Errored   bool     // planning met an error: the plan is to be read, not applied
	Targets   []string // the -target options; none: the plan is of everything
	Variables []Value
	Outputs   []Value
}

// Value is a variable or an output with its value as JSON. That of a sensitive
// one is left blank: JSON writes null for it whatever is here.
type Value struct {
	Name      string
	Type      json.RawMessage // as cty writes types; of outputs only, empty elsewhere
	Value     json.RawMessage
	Sensitive bool
}

// ValueOf makes a Value of v, which is not marked. The error says why JSON
// can't hold it: it is unknown, say.
func ValueOf(name string, v cty.Value, sensitive bool) (Value, error) {
	if sensitive {
		return Value{Name: name, Sensitive: true}, nil
	}
	ty, err := ctyjson.MarshalType(v.Type())
	if err != nil {
		return Value{}, fmt.Errorf("the type of %q can't be written as JSON: %w", name, err)
	}
	value, err := ctyjson.Marshal(v, v.Type())
	if err != nil {
		return Value{}, fmt.Errorf("the value of %q can't be written as JSON: %w", name, err)
	}
	return Value{Name: name, Type: ty, Value: value}, nil
}

// blanked is v without what a sensitive value's JSON form must not tell.
func (v Value) blanked() Value {
	if v.Sensitive {
		return Value{Name: v.Name, Sensitive: true}
	}
	return v
}

// JSON gives p in the JSON form of Terraform's plans, so that what was made to
// check or sum those up works for it: github.com/hashicorp/terraform-json
// decodes it. Each resource of p is one at an address like "gateway.edge:
// port_range.seedbox", of the type that [Resource.Type] gives, with its rules
// as lists of forward, allow and outbound objects. Outputs, which are stored nowhere, are always "no-op". A
// member "btplan" has what Terraform's form has no place for. p must be one that
// [Diff] made. The same arguments give the same bytes. The error is that of a
// Value which isn't JSON.
func (p *Plan) JSON(extra JSONExtra) ([]byte, error) {
	doc := document{
		FormatVersion:   formatVersion,
		Variables:       map[string]jsonVariable{},
		PlannedValues:   jsonValues{Outputs: map[string]jsonOutput{}},
		ResourceChanges: []jsonResourceChange{},
		OutputChanges:   map[string]jsonChange{},
		PriorState:      jsonState{FormatVersion: stateFormatVersion},
		Timestamp:       extra.Timestamp,
		Applyable:       len(p.Pending()) > 0 && !extra.Errored,
		Complete:        len(p.Unread) == 0 && len(extra.Targets) == 0 && !extra.Errored,
		Errored:         extra.Errored,
		Btplan: jsonBtplan{
			Version: extra.Version,
			Project: extra.Project,
			Destroy: extra.Destroy,
			Targets: append([]string{}, extra.Targets...),
			Unread:  []string{},
			Foreign: map[string]int{},
			Digest:  p.Digest(),
		},
	}
	for _, v := range extra.Variables {
		v = v.blanked()
		doc.Variables[v.Name] = jsonVariable{Value: v.Value, Sensitive: v.Sensitive}
	}
	for _, v := range extra.Outputs {
		v = v.blanked()
		doc.PlannedValues.Outputs[v.Name] = jsonOutput{Sensitive: v.Sensitive, Type: v.Type, Value: v.Value}
		doc.OutputChanges[v.Name] = jsonChange{
			Actions:         NoOp.terraform(),
			Before:          v.Value,
			After:           v.Value,
			BeforeSensitive: v.Sensitive,
			AfterSensitive:  v.Sensitive,
		}
	}
	for _, r := range p.Resources {
		doc.add(r, extra.Destroy)
	}
	for _, device := range p.Unread {
		doc.Btplan.Unread = append(doc.Btplan.Unread, device.String())
	}
	for device, n := range p.Foreign {
		doc.Btplan.Foreign[device.String()] = n
	}
	return json.Marshal(doc)
}

// add puts r into the parts of d that tell of resources.
func (d *document) add(r Resource, destroy bool) {
	identity := jsonIdentity{
		Address:      r.String(),
		Mode:         "managed",
		Type:         r.Type(),
		Name:         r.Owner.Name,
		Index:        r.Owner.Key.Value(),
		ProviderName: providerName,
	}
	before, after := r.objects()
	d.ResourceChanges = append(d.ResourceChanges, jsonResourceChange{
		jsonIdentity: identity,
		Change:       jsonObjectChange{Actions: r.Action.terraform(), Before: before, After: after},
		ActionReason: r.reason(destroy),
	})
	if before != nil {
		prior := &d.PriorState.Values.RootModule
		prior.Resources = append(prior.Resources, jsonResource{jsonIdentity: identity, Values: before})
	}
	if after != nil {
		planned := &d.PlannedValues.RootModule
		planned.Resources = append(planned.Resources, jsonResource{jsonIdentity: identity, Values: after})
	}
}

// objects gives r as it is and as it will be; nil where it has no rules.
func (r Resource) objects() (before, after *jsonObject) {
	changes := slices.Clone(r.Changes)
	slices.SortStableFunc(changes, func(a, b Change) int { return compareOptional(a.Before, b.Before) })
	for _, c := range changes {
		if c.Before != nil {
			j := jsonRuleOf(*c.Before)
			j.Expires = c.Expires
			switch {
			case c.Drift:
				j.Drift = c.Because
			case c.Action == Renew:
				j.Renew = c.Because
			default:
				j.Outdated = c.Because
			}
			before = r.with(before, c.Before.Kind, j)
		}
	}
	slices.SortStableFunc(changes, func(a, b Change) int { return compareOptional(a.After, b.After) })
	for _, c := range changes {
		if c.After != nil {
			after = r.with(after, c.After.Kind, jsonRuleOf(*c.After))
		}
	}
	return before, after
}

// compareOptional orders rules, no rule first.
func compareOptional(a, b *Rule) int {
	switch {
	case a != nil && b != nil:
		return a.Compare(*b)
	case a != nil:
		return 1
	case b != nil:
		return -1
	}
	return 0
}

// with is o with one rule more; a nil o is begun.
func (r Resource) with(o *jsonObject, kind Kind, rule jsonRule) *jsonObject {
	if o == nil {
		o = &jsonObject{Device: r.Device.String(), Owner: r.Owner.String(), Forward: []jsonRule{}, Allow: []jsonRule{}, Outbound: []jsonRule{}}
	}
	list := o.list(kind)
	*list = append(*list, rule)
	return o
}

func jsonRuleOf(r Rule) jsonRule {
	j := jsonRule{
		Protocol: string(r.Protocol),
		Ports:    r.Ports.String(),
		To:       r.Target(),
		Sources:  make([]string, len(r.Sources)),
	}
	for i, source := range r.Sources {
		j.Sources[i] = source.String()
	}
	return j
}

// terraform is the action as Terraform's plans write it.
func (a Action) terraform() []string {
	if a == Replace {
		return []string{Delete.String(), Create.String()}
	}
	return []string{a.lasting().String()}
}

// reason is Terraform's word for why an action was chosen; empty where the
// action says it all, as a deletion does when everything is to be destroyed,
// and where Terraform has none: a machine may have trackers still, to which
// nothing shuts the way any more.
func (r Resource) reason(destroy bool) string {
	switch {
	case r.Action == Replace:
		return "replace_because_cannot_update"
	case r.Action == Delete && !destroy && r.Owner != r.Device:
		return "delete_because_no_resource_config"
	}
	return ""
}
