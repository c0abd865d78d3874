package view

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/btplan/btplan/internal/engine"
	"github.com/btplan/btplan/plan"
)

// HoldingsText is what the devices hold, as people read it.
func HoldingsText(holdings []engine.Holding) string {
	if len(holdings) == 0 {
		return "The configuration has no devices.\n"
	}
	var w strings.Builder
	for i, h := range holdings {
		if i > 0 {
			w.WriteString("\n")
		}
		writeHolding(&w, h)
	}
	return w.String()
}

func writeHolding(w *strings.Builder, h engine.Holding) {
	what := h.Type
	if h.Found != "" {
		what += ": " + Printable(h.Found)
	}
	w.WriteString("# " + h.Device.String() + " (" + what + ")")
	switch {
	case h.Unread:
		w.WriteString(" could not be read: what it holds is unknown.\n")
		return
	case len(h.Rules) == 0:
		w.WriteString(" holds no rules that this project made")
	default:
		w.WriteString(" holds " + count(len(h.Rules), "rule") + " that this project made")
	}
	if h.Foreign > 0 {
		w.WriteString(", and " + strconv.Itoa(h.Foreign) + " that it did not make")
	}
	w.WriteString(".\n")
	for _, r := range held(h.Rules) {
		w.WriteString("\n# " + r.String() + "\n")
		for _, why := range drifts(r) {
			w.WriteString("# (drift: " + why + ")\n")
		}
		if text := leasesText(r.Changes); text != "" {
			w.WriteString("# (" + text + ")\n")
		}
		for _, b := range blocks(r.Changes) {
			writeRule(w, b)
		}
	}
}

// held gives live rules as the resources that they make up.
func held(rules []plan.Live) []plan.Resource {
	p, _ := plan.Diff(nil, rules) // nothing is wanted, so nothing is in the way
	return p.Resources
}

// writeRule writes a rule as a block without symbols.
func writeRule(w *strings.Builder, b block) {
	r := b.rule()
	attribute := func(name, text string) {
		w.WriteString("    " + name + strings.Repeat(" ", attributeWidth-len(name)) + " = " + text + "\n")
	}
	w.WriteString(r.Kind.String() + " {\n")
	attribute("protocol", strconv.Quote(string(r.Protocol)))
	attribute("ports", strconv.Quote(r.Ports.String())+palette(false).portsNote(b))
	if target := r.Target(); target != "" {
		attribute("to", strconv.Quote(target))
	}
	if len(r.Sources) > 0 {
		var quoted []string
		for _, source := range r.Sources {
			quoted = append(quoted, strconv.Quote(source.String()))
		}
		attribute("sources", "["+strings.Join(quoted, ", ")+"]")
	}
	w.WriteString("}\n")
}

// HoldingsJSON is what the devices hold in the form of Terraform's state,
// `terraform show -json`. A member btplan has what that form has no place for.
func HoldingsJSON(holdings []engine.Holding, version string) []byte {
	var rules []plan.Live
	foreign, unread := map[string]int{}, []string{}
	for _, h := range holdings {
		rules = append(rules, h.Rules...)
		foreign[h.Device.String()] = h.Foreign
		if h.Unread {
			unread = append(unread, h.Device.String())
			delete(foreign, h.Device.String())
		}
	}
	// The state before a plan is just what is asked for here.
	p, _ := plan.Diff(nil, rules)
	raw, err := p.JSON(plan.JSONExtra{Version: version})
	if err != nil {
		panic("a plan of live rules that has no JSON form: " + err.Error())
	}
	var doc struct {
		State struct {
			FormatVersion string          `json:"format_version"`
			Values        json.RawMessage `json:"values"`
			Btplan        struct {
				Version string         `json:"version"`
				Foreign map[string]int `json:"foreign"`
				Unread  []string       `json:"unread"`
			} `json:"btplan"`
		} `json:"prior_state"`
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		panic("the JSON form of a plan is not JSON: " + err.Error())
	}
	doc.State.Btplan.Version, doc.State.Btplan.Foreign, doc.State.Btplan.Unread = version, foreign, unread
	return indented(doc.State)
}
