package plan

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	tfjson "github.com/hashicorp/terraform-json"
	"github.com/zclconf/go-cty/cty"
	"golang.org/x/tools/txtar"
)

// samplePlan has every action, both kinds, both IP versions, keys, drift,
// leases, foreign rules and a device that was not read.
func samplePlan(t testing.TB) *Plan {
	t.Helper()
	p, diags := Diff(wanted(t,
		"gateway.edge port_range.stands tcp 6881-6889 -> 192.168.1.11:6881",
		"gateway.edge port_range.again udp 6881-6889 -> 192.168.1.11:6881",
		`gateway.edge port_range.bt["alice"] tcp 7881-7889 -> [2001:db8::11]:6881 from 2001:db8::/32`,
		"gateway.edge port_range.wider udp 8001-8009 -> 192.168.1.11:8001 from 10.0.0.0/8, 12.0.0.0/8",
		"gateway.edge port_range.moved tcp 9101 -> 192.168.1.11:9001",
		"gateway.edge port_range.z tcp 9301 -> 192.168.1.11:9301",
		"gateway.edge port_range.z tcp 9302 -> 192.168.1.11:9302",
		"machine.seedbox port_range.n[0] tcp 6881-6889",
		"machine.seedbox machine.seedbox tcp 6969 outbound",
		"machine.seedbox machine.seedbox udp 1337 outbound",
	), live(t,
		"gateway.edge port_range.stands tcp 6881-6889 -> 192.168.1.11:6881",
		"gateway.edge port_range.again udp 6881-6889 -> 192.168.1.11:6881 | outdated: wan_interface has changed",
		"gateway.edge port_range.wider udp 8001 -> 192.168.1.11:8001",
		"gateway.edge port_range.moved tcp 9001 -> 192.168.1.11:9001",
		"gateway.edge port_range.gone tcp 9201 -> 192.168.1.11:9201",
		"gateway.edge port_range.z tcp 9301 -> 192.168.1.11:9301 | expires: 4320 | renew: 1h12m left of 168h",
		"gateway.edge port_range.z tcp 9302 -> 192.168.1.11:9302 | expires: 600000",
		"machine.seedbox port_range.n[0] tcp 6881-6889 | drift: its <accept> is missing",
		"machine.seedbox machine.seedbox tcp 6969 outbound",
		"gateway.edge - tcp 22 -> 192.168.1.50:22",
	))
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	p.Unread = []Addr{{BlockGateway, "attic", NoKey}}
	return p
}

func sampleExtra(t testing.TB) JSONExtra {
	t.Helper()
	value := func(name string, v cty.Value, sensitive bool) Value {
		out, err := ValueOf(name, v, sensitive)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	return JSONExtra{
		Version:   "0.1.0",
		Project:   "home",
		Timestamp: "2030-01-02T03:04:05Z",
		Targets:   []string{"gateway.edge", `port_range.bt["alice"]`},
		Variables: []Value{
			value("first", cty.NumberIntVal(6881), false),
			value("token", cty.StringVal("hunter2"), true),
		},
		Outputs: []Value{
			value("key", cty.StringVal("hunter3"), true),
			value("open", cty.ListVal([]cty.Value{cty.StringVal("6881-6889")}), false),
		},
	}
}

func toJSON(t testing.TB, p *Plan, extra JSONExtra) []byte {
	t.Helper()
	data, err := p.JSON(extra)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestJSONGolden keeps the form, which tools rely on, as it is.
func TestJSONGolden(t *testing.T) {
	const file = "testdata/plan.json"
	var got bytes.Buffer
	if err := json.Indent(&got, toJSON(t, samplePlan(t), sampleExtra(t)), "", "  "); err != nil {
		t.Fatal(err)
	}
	got.WriteByte('\n')
	if *update {
		if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("the plan's JSON is\n%s\nwant that of %s", got.Bytes(), file)
	}
}

// TestJSONForTerraformTools reads the JSON as tools made for Terraform do.
func TestJSONForTerraformTools(t *testing.T) {
	var doc tfjson.Plan
	if err := json.Unmarshal(toJSON(t, samplePlan(t), sampleExtra(t)), &doc); err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(); err != nil {
		t.Fatal(err)
	}
	want := map[string]struct {
		name, reason string
		index        any
		is           func(tfjson.Actions) bool
	}{
		"gateway.edge: port_range.stands":      {"stands", "", nil, tfjson.Actions.NoOp},
		`gateway.edge: port_range.bt["alice"]`: {"bt", "", "alice", tfjson.Actions.Create},
		"gateway.edge: port_range.wider":       {"wider", "", nil, tfjson.Actions.Update},
		"gateway.edge: port_range.moved":       {"moved", "replace_because_cannot_update", nil, tfjson.Actions.DestroyBeforeCreate},
		"gateway.edge: port_range.again":       {"again", "", nil, tfjson.Actions.Update},
		"gateway.edge: port_range.gone":        {"gone", "delete_because_no_resource_config", nil, tfjson.Actions.Delete},
		"gateway.edge: port_range.z":           {"z", "", nil, tfjson.Actions.NoOp},
		"machine.seedbox: port_range.n[0]":     {"n", "", 0.0, tfjson.Actions.Update},
		"machine.seedbox: trackers":            {"seedbox", "", nil, tfjson.Actions.Update},
	}
	for _, r := range doc.ResourceChanges {
		w, ok := want[r.Address]
		if !ok {
			t.Errorf("%s is not a resource", r.Address)
			continue
		}
		delete(want, r.Address)
		if r.Name != w.name || string(r.ActionReason) != w.reason || !reflect.DeepEqual(r.Index, w.index) || !w.is(r.Change.Actions) {
			t.Errorf("%s: name %q, reason %q, index %v, actions %v", r.Address, r.Name, r.ActionReason, r.Index, r.Change.Actions)
		}
		typ := "btplan_port_range"
		if r.Address == "machine.seedbox: trackers" {
			typ = "btplan_trackers"
		}
		if r.Mode != tfjson.ManagedResourceMode || r.Type != typ || r.ProviderName != "btplan" {
			t.Errorf("%s: mode %q, type %q, provider %q", r.Address, r.Mode, r.Type, r.ProviderName)
		}
		if (r.Change.Before == nil) != r.Change.Actions.Create() || (r.Change.After == nil) != r.Change.Actions.Delete() {
			t.Errorf("%s: before %v, after %v", r.Address, r.Change.Before, r.Change.After)
		}
		if r.Address == `gateway.edge: port_range.bt["alice"]` {
			forward := r.Change.After.(map[string]any)["forward"].([]any)[0]
			if got := fmt.Sprint(forward); got != "map[ports:7881-7889 protocol:tcp sources:[2001:db8::/32] to:[2001:db8::11]:6881-6889]" {
				t.Errorf("%s: %s", r.Address, got)
			}
		}
	}
	if len(want) > 0 {
		t.Errorf("resources are missing: %v", want)
	}
	if n := len(doc.PlannedValues.RootModule.Resources); n != 8 {
		t.Errorf("%d resources are planned, not 8", n)
	}
	if n := len(doc.PriorState.Values.RootModule.Resources); n != 8 {
		t.Errorf("%d resources were there, not 8", n)
	}
	if doc.Complete == nil || *doc.Complete {
		t.Error("a plan with an unread device is complete")
	}
	if !doc.OutputChanges["open"].Actions.NoOp() || doc.OutputChanges["key"].After != nil || doc.Variables["token"].Value != nil {
		t.Errorf("outputs %v, variables %v", doc.OutputChanges, doc.Variables)
	}
	if got := doc.PlannedValues.Outputs["open"]; !got.Type.Equals(cty.List(cty.String)) {
		t.Errorf("the output's type is %#v", got.Type)
	}
}

func TestJSONKeepsSecrets(t *testing.T) {
	extra := sampleExtra(t)
	// A value that should not have come this far is blanked all the same.
	extra.Variables = append(extra.Variables, Value{Name: "raw", Value: json.RawMessage(`"hunter4"`), Sensitive: true})
	extra.Outputs = append(extra.Outputs, Value{Name: "raw", Value: json.RawMessage(`"hunter5"`), Sensitive: true})
	if data := toJSON(t, samplePlan(t), extra); bytes.Contains(data, []byte("hunter")) {
		t.Errorf("a sensitive value is in %s", data)
	}
}

func TestValueOfRefusesWhatJSONCannotHold(t *testing.T) {
	for _, v := range []cty.Value{cty.UnknownVal(cty.String), cty.PositiveInfinity} {
		if got, err := ValueOf("x", v, false); err == nil || !strings.Contains(err.Error(), `"x"`) {
			t.Errorf("ValueOf(%#v) = %s, %v", v, got.Value, err)
		}
	}
	if _, err := (&Plan{}).JSON(JSONExtra{Variables: []Value{{Name: "x", Value: json.RawMessage("{")}}}); err == nil {
		t.Error("half a value makes a plan")
	}
}

func TestJSONSaysWhetherThereIsSomethingToApply(t *testing.T) {
	something := samplePlan(t)
	something.Unread = nil
	for _, test := range []struct {
		name                string
		plan                *Plan
		extra               JSONExtra
		applyable, complete bool
	}{
		{"changes", something, JSONExtra{}, true, true},
		{"nothing", &Plan{}, JSONExtra{}, false, true},
		{"errored", something, JSONExtra{Errored: true}, false, false},
		{"unread", samplePlan(t), JSONExtra{}, true, false},
		{"targets", something, JSONExtra{Targets: []string{"gateway.edge"}}, true, false},
	} {
		var got struct{ Applyable, Complete, Errored bool }
		if err := json.Unmarshal(toJSON(t, test.plan, test.extra), &got); err != nil {
			t.Fatal(err)
		}
		if got.Applyable != test.applyable || got.Complete != test.complete || got.Errored != test.extra.Errored {
			t.Errorf("%s: %+v", test.name, got)
		}
	}
}

func TestParseJSONRoundTrip(t *testing.T) {
	for _, extra := range []JSONExtra{sampleExtra(t), {}, {Destroy: true, Errored: true}} {
		p := samplePlan(t)
		data := toJSON(t, p, extra)
		got, gotExtra, err := ParseJSON(data)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, p) {
			t.Errorf("read back: %v; want %v", got, p)
		}
		if again := toJSON(t, got, gotExtra); !bytes.Equal(again, data) {
			t.Errorf("written again: %s; want %s", again, data)
		}
		if gotExtra.Version != extra.Version || gotExtra.Project != extra.Project || gotExtra.Destroy != extra.Destroy ||
			len(gotExtra.Targets) != len(extra.Targets) || len(gotExtra.Variables) != len(extra.Variables) {
			t.Errorf("read back: %+v; want %+v", gotExtra, extra)
		}
		if got.Digest() != p.Digest() {
			t.Error("the digest of the plan read back is another")
		}
	}
}

// Every golden comparison is also a plan to be saved, laid out or not.
func TestParseJSONOfGoldenPlans(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		p, _ := Diff(goldenRules(t, archive))
		var indented bytes.Buffer
		if err := json.Indent(&indented, toJSON(t, p, JSONExtra{}), "", "\t"); err != nil {
			t.Fatal(err)
		}
		got, _, err := ParseJSON(indented.Bytes())
		if err != nil {
			t.Errorf("%s: %v", file, err)
		} else if got.Digest() != p.Digest() || !reflect.DeepEqual(got.Foreign, p.Foreign) {
			t.Errorf("%s: read back another plan", file)
		}
	}
}

func TestParseJSONRefuses(t *testing.T) {
	good := string(toJSON(t, samplePlan(t), sampleExtra(t)))
	for _, test := range []struct{ name, old, new, want string }{
		{"another format", `"format_version":"1.2"`, `"format_version":"2.0"`, `its format_version is "2.0"`},
		{"unknown member", `"errored":false`, `"errored":false,"extra":1`, `unknown field "extra"`},
		{"duplicate member", `"errored":false`, `"errored":true,"errored":false`, "changed after btplan 0.1.0 wrote it"},
		{"other case", `"errored"`, `"Errored"`, "changed after"},
		{"truncated", `"digest"`, "\x00", "invalid character"},
		{"wrong type", `"errored":false`, `"errored":"no"`, "cannot unmarshal"},
		{"another digest", `"digest":"`, `"digest":"0`, "changed after"},
		{"another port after", `"ports":"7881-7889"`, `"ports":"7881-7880"`, "is reversed"},
		{"port 0", `"ports":"9201"`, `"ports":"0"`, "outside 1-65535"},
		{"another spelling", `"ports":"9201"`, `"ports":"09201"`, "changed after"},
		{"another target", `"to":"192.168.1.11:9201"`, `"to":"192.168.1.66:9201"`, "changed after"},
		{"target without a port", `"to":"192.168.1.11:9201"`, `"to":"192.168.1.11"`, "is not a target"},
		{"target with too many ports", `"to":"192.168.1.11:9201"`, `"to":"192.168.1.11:9201-9202"`, "changed after"},
		{"target that is a name", `"to":"192.168.1.11:9201"`, `"to":"seedbox:9201"`, "is not a target"},
		{"target missing", `,"to":"192.168.1.11:9201"`, ``, "is not a target"},
		{"protocol", `"protocol":"udp"`, `"protocol":"icmp"`, `"icmp" is not a protocol`},
		{"source", `"10.0.0.0/8"`, `"10.0.0.0"`, `"10.0.0.0" is not a source`},
		{"sources not canonical", `"10.0.0.0/8"`, `"13.0.0.0/8"`, "canonical"},
		{"another action", `"actions":["update"]`, `"actions":["no-op"]`, "changed after"},
		{"another address", `"address":"gateway.edge: port_range.gone"`, `"address":"gateway.edge: port_range.x"`, "changed after"},
		{"device", `"device":"gateway.edge"`, `"device":"edge"`, "is not an address"},
		{"owner", `"owner":"port_range.gone"`, `"owner":"port_range."`, "is not a name"},
		{"a port_range as device", `"device":"gateway.edge"`, `"device":"port_range.x"`, "is not a device"},
		{"a gateway as owner", `"owner":"port_range.gone"`, `"owner":"gateway.gone"`, "owns no rules"},
		{"an outbound with sources", `"ports":"1337","sources":[]`, `"ports":"1337","sources":["10.0.0.0/8"]`, "has sources"},
		{"unread", `"unread":["gateway.attic"]`, `"unread":["attic"]`, "btplan.unread"},
		{"unread left out", `"unread":["gateway.attic"]`, `"unread":[]`, "changed after"},
		{"foreign", `"foreign":{"gateway.edge":1}`, `"foreign":{"edge":1}`, "btplan.foreign"},
		{"secret put back", `"value":null,"sensitive":true`, `"value":"x","sensitive":true`, "changed after"},
		{"more behind it", `"errored":false`, `"errored":false}{`, "invalid character"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if !strings.Contains(good, test.old) {
				t.Fatalf("%s is not in the plan", test.old)
			}
			bad := strings.ReplaceAll(good, test.old, test.new)
			p, extra, err := ParseJSON([]byte(bad))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("ParseJSON: %v; want an error with %q", err, test.want)
			}
			if p != nil || !reflect.DeepEqual(extra, JSONExtra{}) {
				t.Errorf("ParseJSON gives an error and %v, %v", p, extra)
			}
		})
	}
	for _, bad := range []string{"", "null", "[]", "{}", `{"format_version":"1.2"}`, strings.Repeat("[", 1<<20)} {
		if _, _, err := ParseJSON([]byte(bad)); err == nil {
			t.Errorf("%.20q is a plan", bad)
		}
	}
	if _, _, err := ParseJSON(make([]byte, MaxPlanJSON+1)); err == nil || !strings.Contains(err.Error(), "more than the") {
		t.Errorf("a plan of more than MaxPlanJSON bytes: %v", err)
	}
}

func TestDigest(t *testing.T) {
	base := samplePlan(t).Digest()
	if len(base) != 64 {
		t.Errorf("Digest = %q", base)
	}
	change := func(r *Rule) *Rule { c := *r; c.Ports.Last++; return &c }
	for name, edit := range map[string]func(*Plan){
		"device":  func(p *Plan) { p.Resources[0].Device.Name = "x" },
		"owner":   func(p *Plan) { p.Resources[0].Owner.Name = "x" },
		"action":  func(p *Plan) { p.Resources[0].Action = Delete },
		"step":    func(p *Plan) { p.Resources[0].Changes[0].Action = Replace },
		"before":  func(p *Plan) { c := &p.Resources[6].Changes[0]; c.Before = change(c.Before) },
		"after":   func(p *Plan) { c := &p.Resources[0].Changes[0]; c.After = change(c.After) },
		"because": func(p *Plan) { p.Resources[0].Changes[0].Because = "x" },
		"unread":  func(p *Plan) { p.Unread = nil },
		"fewer":   func(p *Plan) { p.Resources = p.Resources[1:] },
	} {
		p := samplePlan(t)
		edit(p)
		if p.Digest() == base {
			t.Errorf("another %s makes no difference", name)
		}
	}
	for name, edit := range map[string]func(*Plan){
		"foreign rules":        func(p *Plan) { p.Foreign[p.Unread[0]] = 9 },
		"place of declaration": func(p *Plan) { p.Resources[0].DeclRange.Filename = "x" },
		"time left":            func(p *Plan) { p.Resources[6].Changes[1].Expires-- },
		"reason to renew":      func(p *Plan) { p.Resources[6].Changes[0].Because = "1h11m left of 168h" },
		"renewal": func(p *Plan) {
			p.Resources[6].Action = NoOp
			p.Resources[6].Changes[0].Action, p.Resources[6].Changes[0].Because = NoOp, ""
		},
	} {
		p := samplePlan(t)
		edit(p)
		if p.Digest() != base {
			t.Errorf("another %s makes a difference", name)
		}
	}
}

func FuzzParseJSON(f *testing.F) {
	// Small seeds: the fuzzer is slow with large ones.
	for _, r := range samplePlan(f).Resources {
		f.Add(toJSON(f, &Plan{Resources: []Resource{r}}, JSONExtra{}))
	}
	f.Add(toJSON(f, &Plan{}, sampleExtra(f)))
	f.Add([]byte(`{"format_version":"1.2"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, extra, err := ParseJSON(data)
		if err != nil {
			return
		}
		again := toJSON(t, p, extra)
		var compact bytes.Buffer
		if err := json.Compact(&compact, data); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(again, compact.Bytes()) {
			t.Errorf("ParseJSON takes %s, which is written %s", data, again)
		}
		checkRules(t, p)
	})
}

// FuzzParseJSONFields fills in the fields of one rule: most mutations of whole
// documents get no further than JSON's own syntax.
func FuzzParseJSONFields(f *testing.F) {
	f.Add("gateway.edge", "port_range.a", uint8(Forward), "tcp", "6881-6889", "192.168.1.11:6881-6889", "10.0.0.0/8", "its accept is missing")
	f.Add("gateway.edge", `port_range.bt["x y"]`, uint8(Forward), "udp", "1", "[2001:db8::1]:65535", "2001:db8::/32", "")
	f.Add("machine.seedbox", "port_range.bt[0]", uint8(Allow), "tcp", "65535", "", "::/0", "\x1b[2J")
	f.Add("machine.seedbox", "machine.seedbox", uint8(Outbound), "tcp", "6969", "", "", "")
	f.Fuzz(func(t *testing.T, device, owner string, kind uint8, protocol, ports, to, source, drift string) {
		rule := jsonRule{Protocol: protocol, Ports: ports, To: to, Sources: []string{source}, Drift: drift}
		if source == "" {
			rule.Sources = []string{}
		}
		o := &jsonObject{Device: device, Owner: owner, Forward: []jsonRule{}, Allow: []jsonRule{}, Outbound: []jsonRule{}}
		list := o.list(Kind(kind % uint8(Outbound+1)))
		*list = append(*list, rule)
		doc := document{ResourceChanges: []jsonResourceChange{{Change: jsonObjectChange{Before: o}}}}
		p, err := doc.plan()
		if err != nil {
			return
		}
		checkRules(t, p)
		again, _, err := ParseJSON(toJSON(t, p, JSONExtra{}))
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(again, p) {
			t.Errorf("read back: %v; want %v", again, p)
		}
		if because := p.Resources[0].Changes[0].Because; printable(because) != because {
			t.Errorf("%q is the reason", because)
		}
	})
}

// checkRules wants all rules of p to be such as a device can hold.
func checkRules(t *testing.T, p *Plan) {
	t.Helper()
	for _, r := range p.Resources {
		for _, c := range r.Changes {
			for _, rule := range []*Rule{c.Before, c.After} {
				if rule == nil {
					continue
				}
				if err := rule.Check(); err != nil {
					t.Error(err)
				}
			}
		}
	}
}
