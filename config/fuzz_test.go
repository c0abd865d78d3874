package config

import (
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/btplan/btplan/plan"
	"golang.org/x/tools/txtar"
)

// FuzzLoad feeds any text as a configuration and as values for its variables.
// Whatever it is, it loads without a panic into something sound, or into
// diagnostics that have a place.
func FuzzLoad(f *testing.F) {
	paths, err := filepath.Glob("testdata/*/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range paths {
		ar, err := txtar.ParseFile(path)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range ar.Files {
			f.Add(file.Data, []byte("x = 1\n"))
			f.Add([]byte("btplan { project = \"p\" }\nvariable \"x\" {}\n"), file.Data)
		}
	}
	// A text like "1e99999999" that becomes a number and a text again within one
	// expression takes minutes.
	huge := regexp.MustCompile(`"[^"]*[eE][+-]?[0-9]{5}`)
	f.Fuzz(func(t *testing.T, config, values []byte) {
		if huge.Match(config) || huge.Match(values) {
			t.Skip()
		}
		for _, ext := range []string{"hcl", "json"} {
			files := map[string][]byte{"main.btp." + ext: config, "btplan.btpvars." + ext: values}
			cfg, _, diags := loadFiles(files, testTypes())
			for _, d := range diags {
				if d.Summary == "" || d.Subject == nil {
					t.Errorf("a diagnostic without a summary or a place: %+v", d)
				}
			}
			if diags.HasErrors() != (cfg == nil) {
				t.Fatalf("errors: %t, no configuration: %t", diags.HasErrors(), cfg == nil)
			}
			if cfg != nil {
				checkSound(t, cfg)
			}
		}
	})
}

// checkSound checks what everyone may rely on in a Config.
func checkSound(t *testing.T, cfg *Config) {
	t.Helper()
	if !isProject(cfg.Project) {
		t.Errorf("the project is %q", cfg.Project)
	}
	for _, m := range cfg.Machines {
		if !m.Address.IsValid() || m.Local && m.SSH != nil {
			t.Errorf("unsound: %+v", m)
		}
	}
	for _, g := range cfg.Gateways {
		if !g.Body.IsWhollyKnown() || g.Body.ContainsMarked() {
			t.Errorf("unsound: %#v", g)
		}
	}
	for _, o := range cfg.Outputs {
		if !o.Value.IsWhollyKnown() || o.Value.ContainsMarked() {
			t.Errorf("unsound: %#v", o)
		}
	}
	owners := map[plan.Addr]bool{}
	for _, p := range cfg.PortRanges {
		if p.Machine == nil || len(p.Ports) == 0 || len(p.Protocols) == 0 || owners[p.Addr] {
			t.Fatalf("unsound: %+v", p)
		}
		owners[p.Addr] = true
		ports := 0
		for _, m := range mappings(p.Ports, p.WANPorts) {
			ports += m.outside.Count()
		}
		if ports != countPorts(p.Ports) {
			t.Errorf("%s has %d ports, of which %d are mapped", p.Addr, countPorts(p.Ports), ports)
		}
	}
	wanted := cfg.Wanted()
	slices.SortFunc(wanted, func(a, b plan.Wanted) int {
		if c := a.Device.Compare(b.Device); c != 0 {
			return c
		}
		return a.Rule.Compare(b.Rule)
	})
	for i := 1; i < len(wanted); i++ {
		if a, b := wanted[i-1], wanted[i]; a.Device == b.Device && a.Collides(b.Rule) {
			t.Errorf("%s: %s of %s and %s of %s collide", a.Device, a.Rule, a.Owner, b.Rule, b.Owner)
		}
	}
}
