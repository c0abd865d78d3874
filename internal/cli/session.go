package cli

import (
	"cmp"
	"context"
	"path/filepath"

	"github.com/btplan/btplan/config"
	"github.com/btplan/btplan/internal/engine"
	"github.com/btplan/btplan/internal/view"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hcldec"
)

// load reads the configuration. It is nil if the diagnostics have errors.
func (r *run) load() (*config.Config, view.Files, hcl.Diagnostics) {
	c, files, diags := config.Load(r.path(""), r.configOptions())
	if diags.HasErrors() {
		c = nil
	}
	return c, files, diags
}

// configOptions are what the configuration may hold, and where its values come
// from.
func (r *run) configOptions() config.Options {
	inputs := make([]config.Input, len(r.inputs))
	for i, in := range r.inputs {
		inputs[i] = in
		if in.File != "" {
			inputs[i].File = r.path(in.File)
		}
	}
	return config.Options{
		Gateways:  specs(r.gateways),
		Firewalls: specs(r.firewalls),
		Env:       r.Env,
		Inputs:    inputs,
		Version:   Version,
	}
}

// path is where a file that the user named is: -chdir counts as if btplan had
// been started there.
func (r *run) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(cmp.Or(r.dir, "."), name)
}

func specs(types map[string]providers.Type) map[string]hcldec.ObjectSpec {
	out := map[string]hcldec.ObjectSpec{}
	for name, t := range types {
		out[name] = t.Spec
	}
	return out
}

// session is one plan, and what it takes to carry it out.
type session struct {
	view   view.View
	config *config.Config
	files  view.Files
	engine *engine.Engine
	plan   *plan.Plan
	diags  hcl.Diagnostics // of loading and planning, not printed yet
	left   int             // how many resources with changes were taken out of the plan
}

// newEngine makes the engine for a configuration.
func (r *run) newEngine(c *config.Config) *engine.Engine {
	return &engine.Engine{
		Config:      c,
		Gateways:    r.gateways,
		Firewalls:   r.firewalls,
		Parallelism: r.parallelism,
		LockTimeout: r.lockTimeout,
		Targets:     r.targets,
	}
}

// begin loads the configuration and plans. When there is no plan the
// diagnostics have been printed, and the session is nil.
func (r *run) begin(ctx context.Context) *session {
	s := &session{view: r.view()}
	s.config, s.files, s.diags = r.load()
	if s.config == nil {
		s.view.Diagnostics(s.diags, s.files)
		return nil
	}
	s.engine = r.newEngine(s.config)
	s.engine.Observe = s.view.Progress
	makePlan := s.engine.Plan
	if r.destroy {
		makePlan = s.engine.PlanDestroy
	}
	var diags hcl.Diagnostics
	s.plan, diags = makePlan(ctx)
	if ctx.Err() != nil {
		// What the devices said to being broken off is of no interest.
		s.plan, diags = nil, failure("Interrupted", "Nothing was changed.")
	}
	s.diags = append(s.diags, diags...)
	if s.plan == nil {
		s.view.Diagnostics(s.diags, s.files)
		s.engine.Close()
		return nil
	}
	return s
}

// refused says whether the plan must not be carried out. Each device that
// could not be read has one error, which keeps the others from nothing; any
// further error is about what is planned.
func (s *session) refused() bool {
	errors := 0
	for _, d := range s.diags {
		if d.Severity == hcl.DiagError {
			errors++
		}
	}
	return errors > len(s.plan.Unread)
}
