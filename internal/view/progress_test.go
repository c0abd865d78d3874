package view

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/btplan/btplan/config"
	"github.com/btplan/btplan/internal/engine"
	"github.com/btplan/btplan/plan"
	"github.com/zclconf/go-cty/cty"
	"golang.org/x/tools/txtar"
)

// TestProgress plays scripts of events in a bubble of its own time. A line is
// "waits DEVICE WHAT" (from now on), "read DEVICE", "was read DEVICE", "start ACTION RESOURCE", "done RESOURCE",
// "step N/M RESOURCE", "fail RESOURCE", "skip RESOURCE" (it was not attempted), "unread DEVICE",
// "wait DURATION", "interrupt", "saved FILE", "result" or "outputs".
func TestProgress(t *testing.T) {
	golden(t, "progress-*.txtar", func(t *testing.T, in map[string]string) []txtar.File {
		var out []txtar.File
		for _, name := range []string{"human", "lines"} {
			var printed bytes.Buffer
			synctest.Test(t, func(t *testing.T) {
				p := player{view: New(Options{
					Out: &printed, Err: &printed, Version: "0.0.0",
					JSON: name == "lines", Destroy: strings.Contains(in["options"], "destroy"),
					LiveWidth: width(t, in["options"]),
				}), started: map[string]plan.Resource{}}
				for line := range strings.Lines(in["events"]) {
					p.play(t, strings.TrimSpace(line))
				}
			})
			data := bytes.ReplaceAll(visible(printed.Bytes()), []byte("\r"), []byte(`\r`))
			out = append(out, txtar.File{Name: name, Data: data})
		}
		return out
	})
}

// width is that of the terminal in an archive's options; 0: there is none.
func width(t *testing.T, options string) int {
	t.Helper()
	for option := range strings.FieldsSeq(options) {
		if columns, is := strings.CutPrefix(option, "terminal="); is {
			n, err := strconv.Atoi(columns)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	return 0
}

type player struct {
	view    View
	started map[string]plan.Resource
	waits   sync.Map // what devices wait for, by name: reminders ask from goroutines of their own
	result  engine.Result
	plan    plan.Plan
}

func (p *player) waiting(device string) string {
	what, _ := p.waits.Load(device)
	text, _ := what.(string)
	return text
}

func (p *player) play(t *testing.T, line string) {
	verb, rest, _ := strings.Cut(line, " ")
	switch verb {
	case "wait":
		d, err := time.ParseDuration(rest)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(d) // in the bubble: no real time goes by
		synctest.Wait()
	case "read":
		p.view.Progress(engine.Event{Kind: engine.ReadStarted, Device: parseAddr(t, rest), Waiting: func() string { return p.waiting(rest) }})
	case "waits":
		device, what, _ := strings.Cut(rest, " ")
		p.waits.Store(device, what)
	case "was":
		p.view.Progress(engine.Event{Kind: engine.ReadDone, Device: parseAddr(t, strings.TrimPrefix(rest, "read "))})
	case "start":
		action, name, _ := strings.Cut(rest, " ")
		device, owner, _ := strings.Cut(name, ": ")
		actions := map[string]plan.Action{"create": plan.Create, "update": plan.Update, "replace": plan.Replace, "delete": plan.Delete, "renew": plan.Renew}
		r := plan.Resource{Device: parseAddr(t, device), Owner: parseAddr(t, owner), Action: actions[action]}
		if r.Action == plan.Renew {
			r.Changes = []plan.Change{{Action: plan.Renew}, {Action: plan.NoOp}, {Action: plan.Renew}}
		}
		p.started[name] = r
		p.view.Progress(engine.Event{Kind: engine.ApplyStarted, Device: r.Device, Resource: &r, Waiting: func() string { return p.waiting(device) }})
	case "step":
		var e engine.Event
		counts, name, _ := strings.Cut(rest, " ")
		if _, err := fmt.Sscanf(counts, "%d/%d", &e.Step, &e.Steps); err != nil {
			t.Fatal(err)
		}
		r := p.started[name]
		e.Kind, e.Device, e.Resource = engine.ApplyStep, r.Device, &r
		p.view.Progress(e)
	case "done", "fail":
		r := p.started[rest]
		e := engine.Event{Kind: engine.ApplyDone, Device: r.Device, Resource: &r}
		if verb == "fail" {
			e.Err = errors.New("no")
			p.result.Failed = append(p.result.Failed, r)
		} else {
			p.result.Done = append(p.result.Done, r)
		}
		p.view.Progress(e)
	case "skip":
		r := p.started[rest]
		p.result.NotAttempted = append(p.result.NotAttempted, r)
	case "unread":
		p.plan.Unread = append(p.plan.Unread, parseAddr(t, rest))
	case "interrupt":
		p.view.Interrupted()
	case "saved":
		p.view.Saved(rest)
	case "result":
		p.view.Result(&p.result, &p.plan)
	case "outputs":
		p.view.Outputs([]*config.Output{
			{Name: "open", Value: cty.StringVal("6881-6889")},
			{Name: "ports", Value: cty.TupleVal([]cty.Value{cty.NumberIntVal(6881), cty.NumberIntVal(6882)})},
			{Name: "secret", Value: cty.StringVal("hunter2"), Sensitive: true},
		})
	default:
		t.Fatalf("%q is not an event", line)
	}
}
