package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/btplan/btplan/config"
	"github.com/btplan/btplan/internal/engine"
	"github.com/btplan/btplan/internal/view"
	"github.com/btplan/btplan/plan"
	"github.com/google/renameio/v2/maybe"
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"
)

// save writes the session's plan to the file of -out.
func (r *run) save(s *session) error {
	extra := plan.JSONExtra{
		Version:   Version,
		Project:   s.config.Project,
		Timestamp: time.Now().UTC().Format(time.RFC3339),
		Destroy:   r.destroy,
	}
	for _, t := range r.targets {
		extra.Targets = append(extra.Targets, t.String())
	}
	for _, v := range s.config.Variables {
		value, err := plan.ValueOf(v.Name, v.Value, v.Sensitive)
		if err != nil {
			return err
		}
		extra.Variables = append(extra.Variables, value)
	}
	for _, o := range s.config.Outputs {
		value, err := plan.ValueOf(o.Name, o.Value, o.Sensitive)
		if err != nil {
			return err
		}
		extra.Outputs = append(extra.Outputs, value)
	}
	raw, err := s.plan.JSON(extra)
	if err != nil {
		return err
	}
	return maybe.WriteFile(r.path(r.planFile), append(raw, '\n'), 0o600)
}

// readPlan reads a saved plan, and gives the file's text too.
func (r *run) readPlan(name string) (*plan.Plan, plan.JSONExtra, []byte, error) {
	f, err := os.Open(r.path(name))
	if err != nil {
		return nil, plan.JSONExtra{}, nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	raw, err := io.ReadAll(io.LimitReader(f, plan.MaxPlanJSON+1))
	if err != nil {
		return nil, plan.JSONExtra{}, nil, err
	}
	p, extra, err := plan.ParseJSON(raw)
	if err != nil {
		return nil, plan.JSONExtra{}, nil, fmt.Errorf("%s: %w", name, err)
	}
	return p, extra, raw, nil
}

// applySaved carries out a saved plan, if the same plan comes out today.
func (r *run) applySaved(ctx context.Context, file string) int {
	saved, extra, _, err := r.readPlan(file)
	if err == nil {
		err = r.adopt(extra)
	}
	if err != nil {
		return r.failInView("Saved plan unusable", "The plan can't be applied: "+err.Error()+".")
	}
	s := r.begin(ctx)
	if s == nil {
		return exitError
	}
	defer s.engine.Close()
	if lost := unreadSince(saved, s.plan); len(lost) > 0 {
		// Whether the plan is stale can't be known.
		s.view.Diagnostics(append(s.diags, failure("Saved plan not applied", "Nothing was changed: "+strings.Join(lost, ", ")+" could be read when the plan was made, but can't be now. Apply the plan again when that is mended.")...), s.files)
		return exitError
	}
	if stale := r.stale(s, saved, extra); stale != nil {
		s.view.Diagnostics(append(s.diags, stale), s.files)
		return exitStale
	}
	s.view.Diagnostics(s.diags, s.files)
	code, outrun := r.carryOut(ctx, s)
	if outrun {
		return exitStale
	}
	return code
}

// adopt makes this run plan as the run did that saved the plan.
func (r *run) adopt(extra plan.JSONExtra) error {
	if len(r.targets) > 0 || r.destroy {
		return errors.New("-target and -destroy are part of a saved plan, and can't be given when it is applied")
	}
	r.destroy = extra.Destroy
	for _, s := range extra.Targets {
		t, err := engine.ParseTarget(s)
		if err != nil {
			return err
		}
		r.targets = append(r.targets, t)
	}
	var inputs []config.Input
	for _, v := range extra.Variables {
		// The values of sensitive variables aren't saved: they come from
		// where they came from, or the plan differs. Null is no input.
		if v.Sensitive || string(v.Value) == "null" {
			continue
		}
		text, err := inputText(v.Value)
		if err != nil {
			return fmt.Errorf("the value of variable %q: %w", v.Name, err)
		}
		inputs = append(inputs, config.Input{Var: v.Name + "=" + text})
	}
	r.inputs = append(inputs, r.inputs...)
	return nil
}

// inputText is a value as -var takes it.
func inputText(raw []byte) (string, error) {
	t, err := ctyjson.ImpliedType(raw)
	if err != nil {
		return "", err
	}
	v, err := ctyjson.Unmarshal(raw, t)
	if err != nil {
		return "", err
	}
	if t == cty.String {
		return v.AsString(), nil
	}
	return view.ValueText(v), nil
}

// stale says how today's plan differs from the saved one; nil if it doesn't.
// One that can't be carried out differs from any that was saved.
func (r *run) stale(s *session, saved *plan.Plan, extra plan.JSONExtra) *hcl.Diagnostic {
	if extra.Project == s.config.Project && saved.Digest() == s.plan.Digest() && !s.refused() {
		return nil
	}
	detail := "A device it touches, or the configuration, has changed since the plan was made"
	if extra.Timestamp != "" {
		detail += " at " + extra.Timestamp
	}
	detail += ". Nothing was changed. Make a new plan and apply that."
	if changed := differing(saved, s.plan); len(changed) > 0 {
		detail += "\n\nIt would do something else now about:\n  " + strings.Join(changed, "\n  ")
	}
	return &hcl.Diagnostic{Severity: hcl.DiagError, Summary: "Saved plan is stale", Detail: detail}
}

// unreadSince names the devices that only the saved plan could read.
func unreadSince(saved, now *plan.Plan) []string {
	var out []string
	for _, device := range now.Unread {
		if !slices.Contains(saved.Unread, device) {
			out = append(out, device.String())
		}
	}
	return out
}

// differing names the resources about which two plans differ, and the devices
// that only one of them could read.
func differing(a, b *plan.Plan) []string {
	digests := func(p *plan.Plan) map[string]string {
		out := map[string]string{}
		for _, r := range p.Resources {
			one := plan.Plan{Resources: []plan.Resource{r}}
			out[r.String()] = one.Digest()
		}
		for _, device := range p.Unread {
			out[device.String()] = "unread"
		}
		return out
	}
	before, after := digests(a), digests(b)
	var out []string
	for name, digest := range before {
		if after[name] != digest {
			out = append(out, name)
		}
	}
	for name := range after {
		if _, known := before[name]; !known {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}
