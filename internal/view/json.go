package view

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/btplan/btplan/config"
	"github.com/btplan/btplan/internal/engine"
	"github.com/btplan/btplan/plan"
	"github.com/hashicorp/hcl/v2"
	tfjson "github.com/hashicorp/terraform-json"
)

// uiVersion is the version of Terraform's machine-readable UI that the lines
// follow (https://developer.hashicorp.com/terraform/internals/machine-readable-ui).
const uiVersion = "1.2"

// lines prints for programs: one JSON object a line.
type lines struct {
	Options
	clocks
}

func newJSON(o Options) *lines {
	l := &lines{Options: o, clocks: clocks{out: o.Out}}
	l.write(line{Type: "version", Message: "btplan " + o.Version, Btplan: o.Version, UI: uiVersion})
	return l
}

// line is one line, the union of all its types.
type line struct {
	Level      string             `json:"@level"`
	Message    string             `json:"@message"`
	Module     string             `json:"@module"`
	Timestamp  string             `json:"@timestamp"`
	Btplan     string             `json:"btplan,omitempty"`
	UI         string             `json:"ui,omitempty"`
	Change     *lineChange        `json:"change,omitempty"`
	Changes    *lineCounts        `json:"changes,omitempty"`
	Diagnostic *tfjson.Diagnostic `json:"diagnostic,omitempty"`
	Estimate   int                `json:"estimated_seconds,omitempty"`
	Foreign    map[string]int     `json:"foreign_rules,omitempty"`
	Hook       *lineHook          `json:"hook,omitempty"`
	Outputs    map[string]output  `json:"outputs,omitempty"`
	Unread     []string           `json:"unread_devices,omitempty"`
	Type       string             `json:"type"`
}

type lineResource struct {
	Addr            string `json:"addr"`
	Module          string `json:"module"`
	Resource        string `json:"resource"`
	ImpliedProvider string `json:"implied_provider"`
	ResourceType    string `json:"resource_type"`
	ResourceName    string `json:"resource_name"`
	ResourceKey     any    `json:"resource_key"`
}

type lineChange struct {
	Resource lineResource `json:"resource"`
	Action   string       `json:"action"`
	Drift    []string     `json:"drift,omitempty"`
	Renew    string       `json:"renew,omitempty"` // why its lease is renewed
}

type lineCounts struct {
	Add          int    `json:"add"`
	Change       int    `json:"change"`
	Import       int    `json:"import"`
	Remove       int    `json:"remove"`
	Renew        int    `json:"renew,omitempty"` // leases
	Left         int    `json:"left,omitempty"`  // resources with changes that were not to be made
	Failed       int    `json:"failed,omitempty"`
	NotAttempted int    `json:"not_attempted,omitempty"`
	Operation    string `json:"operation"`
}

type lineHook struct {
	Resource lineResource `json:"resource"`
	Action   string       `json:"action"`
	Elapsed  *int         `json:"elapsed_seconds,omitempty"`
	Step     int          `json:"step,omitempty"`  // how many changes are done,
	Steps    int          `json:"steps,omitempty"` // of how many
}

func (l *lines) write(one line) {
	if one.Level == "" {
		one.Level = "info"
	}
	one.Module = "btplan.ui"
	one.Timestamp = time.Now().UTC().Format("2006-01-02T15:04:05.000000Z07:00")
	raw, err := json.Marshal(one)
	if err != nil {
		panic("a line that has no JSON form: " + err.Error())
	}
	say(l.Out, "%s\n", raw)
}

func (l *lines) Plan(p *plan.Plan, takes time.Duration) {
	for _, r := range p.Resources {
		if why := drifts(r); len(why) > 0 {
			l.write(line{Type: "resource_drift", Message: fmt.Sprintf("%s: Drift detected (%s)", r, r.Action),
				Change: &lineChange{Resource: resourceOf(r), Action: r.Action.String(), Drift: why}})
		}
	}
	for _, r := range p.Pending() {
		change := &lineChange{Resource: resourceOf(r), Action: actionOf(r)}
		if r.Action == plan.Renew {
			change.Renew = dueFirst(r)
		}
		l.write(line{Type: "planned_change", Message: fmt.Sprintf("%s: Plan to %s", r, r.Action), Change: change})
	}
	foreign := map[string]int{}
	for device, n := range p.Foreign {
		foreign[device.String()] = n
	}
	c := p.Counts()
	l.write(line{Type: "change_summary", Message: summary(c), Foreign: foreign, Unread: names(p.Unread),
		Changes:  &lineCounts{Add: c.Add, Change: c.Change, Remove: c.Destroy, Renew: p.Renewals(), Operation: "plan"},
		Estimate: int(takes.Round(time.Second) / time.Second)})
}

func (l *lines) Diagnostics(diags hcl.Diagnostics, files Files) {
	for _, d := range prepared(diags) {
		d := diagnosticJSON(d, files)
		level, word := "error", "Error"
		if d.Severity == tfjson.DiagnosticSeverityWarning {
			level, word = "warn", "Warning"
		}
		l.write(line{Type: "diagnostic", Level: level, Message: word + ": " + d.Summary, Diagnostic: &d})
	}
}

// Saved says nothing: whoever runs btplan in this way named the file.
func (l *lines) Saved(string) {}

func (l *lines) Progress(e engine.Event) {
	if e.Resource == nil {
		return // Terraform's format knows resources only
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	name, verb := subject(e)
	hook := lineHook{Resource: resourceOf(*e.Resource), Action: actionOf(*e.Resource)}
	switch e.Kind {
	case engine.ApplyStarted:
		l.write(line{Type: "apply_start", Message: fmt.Sprintf("%s: %s...", name, capitalised(verb.doing)), Hook: &hook})
		l.begin(name, func(c *clock) {
			again, seconds := hook, c.elapsed()
			again.Elapsed, again.Step, again.Steps = &seconds, c.step, c.steps
			l.write(line{Type: "apply_progress", Message: fmt.Sprintf("%s: Still %s... %s", name, verb.doing, elapsed(e, c)), Hook: &again})
		})
	case engine.ApplyStep:
		c := l.clock(name)
		c.step, c.steps = e.Step, e.Steps
	case engine.ApplyDone:
		seconds := l.end(name)
		hook.Elapsed = &seconds
		if e.Err != nil {
			l.write(line{Type: "apply_errored", Message: fmt.Sprintf("%s: %s errored after %ds", name, verb.deed, seconds), Hook: &hook})
			return
		}
		l.write(line{Type: "apply_complete", Message: fmt.Sprintf("%s: %s complete after %ds", name, verb.deed, seconds), Hook: &hook})
	}
}

func (l *lines) Interrupted() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.write(line{Type: "log", Level: "warn", Message: "Interrupt received. The devices being changed are finished; no other is begun."})
}

func (l *lines) Again() {
	l.write(line{Type: "log", Message: "Planning again, from what the devices hold now."})
}

func (l *lines) Result(r *engine.Result, p *plan.Plan) {
	verb, operation := "Apply", "apply"
	if l.Destroy {
		verb, operation = "Destroy", "destroy"
	}
	c := r.Counts()
	one := line{Type: "change_summary", Message: completeText(verb, r, l.Options), Unread: names(p.Unread), Changes: &lineCounts{
		Add: c.Add, Change: c.Change, Remove: c.Destroy, Renew: r.Renewed(), Left: r.Left,
		Failed: len(r.Failed), NotAttempted: len(r.NotAttempted), Operation: operation,
	}}
	if len(r.Failed)+len(r.NotAttempted)+len(p.Unread) > 0 {
		one.Message = incompleteText(verb, r)
	}
	l.write(one)
}

func (l *lines) Outputs(outputs []*config.Output) {
	l.write(line{Type: "outputs", Message: fmt.Sprintf("Outputs: %d", len(outputs)), Outputs: outputsOf(outputs, false)})
}

// actionOf is what Terraform would call what happens to r: to renew a lease is
// nothing to it.
func actionOf(r plan.Resource) string {
	if r.Action == plan.Renew {
		return "noop"
	}
	return r.Action.String()
}

func resourceOf(r plan.Resource) lineResource {
	return lineResource{
		Addr: r.String(), Resource: r.String(), ImpliedProvider: "btplan",
		ResourceType: r.Type(), ResourceName: r.Owner.Name, ResourceKey: r.Owner.Key.Value(),
	}
}
