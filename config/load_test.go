package config

import (
	"bytes"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"
	"golang.org/x/tools/txtar"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// testTypes are types as the real ones are: attributes required and optional,
// a reference to a machine, a validation of the type's own.
func testTypes() Options {
	attr := func(name string, ty cty.Type, required bool) hcldec.Spec {
		return &hcldec.AttrSpec{Name: name, Type: ty, Required: required}
	}
	lease := &hcldec.ValidateSpec{
		Wrapped: attr("lease", cty.String, false),
		Func: func(v cty.Value) hcl.Diagnostics {
			if v.IsNull() || strings.HasSuffix(v.AsString(), "h") {
				return nil
			}
			return hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "Invalid lease", Detail: "A lease is written in hours."}}
		},
	}
	return Options{
		Version: "0.2.0-dev",
		Gateways: map[string]hcldec.ObjectSpec{
			"linux":     {"wan_interface": attr("wan_interface", cty.String, false)},
			"simulated": {"file": attr("file", cty.String, true)},
			"upnp": {
				"address": attr("address", cty.String, false),
				"lease":   lease,
			},
		},
		Firewalls: map[string]hcldec.ObjectSpec{"nftables": nil, "ufw": {"app": attr("app", cty.String, false)}},
	}
}

// loadArchive loads the files of a txtar archive as if they were in the
// working directory. Its comment may hold options, one a line:
// "-var NAME=VALUE", "-var-file FILE", "env NAME=VALUE".
func loadArchive(ar *txtar.Archive) (*Config, map[string]*hcl.File, hcl.Diagnostics) {
	opts := testTypes()
	for line := range strings.Lines(string(ar.Comment)) {
		kind, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch kind {
		case "-var":
			opts.Inputs = append(opts.Inputs, Input{Var: value})
		case "-var-file":
			opts.Inputs = append(opts.Inputs, Input{File: value})
		case "env":
			opts.Env = append(opts.Env, value)
		}
	}
	files := map[string][]byte{}
	for _, f := range ar.Files {
		files[f.Name] = f.Data
	}
	return loadFiles(files, opts)
}

// loadFiles loads a configuration from memory.
func loadFiles(files map[string][]byte, opts Options) (*Config, map[string]*hcl.File, hcl.Diagnostics) {
	l := newLoader(".", opts)
	l.read = func(path string) ([]byte, error) {
		if text, exists := files[path]; exists {
			return text, nil
		}
		return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	}
	l.load(l.pick(sortedKeys(files)))
	return l.result()
}

// goldens runs the archives in a directory: the files are loaded, and what
// show makes of the result has to be what the file "want" holds.
func goldens(t *testing.T, dir string, show func(*testing.T, *Config, map[string]*hcl.File, hcl.Diagnostics) string) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.txtar"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no archives in %s: %v", dir, err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			ar, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var want string
			var inputs []txtar.File
			for _, f := range ar.Files {
				if f.Name == "want" {
					want = string(f.Data)
					continue
				}
				inputs = append(inputs, f)
			}
			ar.Files = inputs
			cfg, files, diags := loadArchive(ar)
			got := show(t, cfg, files, diags)
			if *update {
				ar.Files = append(inputs, txtar.File{Name: "want", Data: []byte(got)})
				if err := os.WriteFile(path, txtar.Format(ar), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// diagnosticText is how a terminal 78 columns wide without colours shows them.
func diagnosticText(t *testing.T, files map[string]*hcl.File, diags hcl.Diagnostics) string {
	var b bytes.Buffer
	if err := hcl.NewDiagnosticTextWriter(&b, files, 78, false).WriteDiagnostics(diags); err != nil {
		t.Fatal(err)
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

func TestMistakes(t *testing.T) {
	goldens(t, "testdata/mistakes", func(t *testing.T, cfg *Config, files map[string]*hcl.File, diags hcl.Diagnostics) string {
		if diags.HasErrors() != (cfg == nil) {
			t.Errorf("the configuration is nil: %t; there are errors: %t", cfg == nil, diags.HasErrors())
		}
		if len(diags) == 0 {
			t.Error("no mistake was found")
		}
		return diagnosticText(t, files, diags)
	})
}

func TestValid(t *testing.T) {
	goldens(t, "testdata/valid", func(t *testing.T, cfg *Config, files map[string]*hcl.File, diags hcl.Diagnostics) string {
		if len(diags) > 0 {
			t.Fatalf("diagnostics:\n%s", diagnosticText(t, files, diags))
		}
		return dump(t, cfg)
	})
}

// dump is a configuration as text.
func dump(t *testing.T, c *Config) string {
	var b strings.Builder
	fmt.Fprintf(&b, "project %s\n", c.Project)
	reach := func(ssh *SSH, local bool) {
		if local {
			b.WriteString(" local")
		}
		if ssh != nil {
			fmt.Fprintf(&b, " ssh(%s@%s:%d key=%q known=%q timeout=%s sudo=%t", ssh.User, ssh.Host, ssh.Port, ssh.IdentityFile, ssh.KnownHostsFile, ssh.Timeout, ssh.Sudo)
			if ssh.Direct {
				b.WriteString(" direct")
			}
			for hop := ssh.Jump; hop != nil; hop = hop.Jump {
				fmt.Fprintf(&b, " via %s@%s:%d", hop.User, hop.Host, hop.Port)
			}
			b.WriteString(")")
		}
	}
	for _, m := range c.Machines {
		fmt.Fprintf(&b, "%s %s", m.Addr, m.Address)
		reach(m.SSH, m.Local)
		if m.Firewall != nil {
			fmt.Fprintf(&b, " %s %s", m.Firewall.Type, jsonOf(t, m.Firewall.Body))
		}
		b.WriteString("\n")
	}
	for _, g := range c.Gateways {
		fmt.Fprintf(&b, "%s %s %s", g.Addr, g.Type, jsonOf(t, g.Body))
		reach(g.SSH, g.Local)
		if g.Via != nil {
			fmt.Fprintf(&b, " from %s", g.Via.Addr)
		}
		b.WriteString("\n")
	}
	for _, w := range c.Wanted() {
		fmt.Fprintf(&b, "%s: %s: %s %s\n", w.Device, w.Owner, w.Kind, w.Rule)
	}
	for _, v := range c.Variables {
		fmt.Fprintf(&b, "var.%s = %s sensitive=%t\n", v.Name, jsonOf(t, v.Value), v.Sensitive)
	}
	for _, o := range c.Outputs {
		fmt.Fprintf(&b, "output.%s = %s sensitive=%t %s\n", o.Name, jsonOf(t, o.Value), o.Sensitive, typeexpr.TypeString(o.Value.Type()))
	}
	return b.String()
}

func jsonOf(t *testing.T, v cty.Value) string {
	out, err := ctyjson.Marshal(v, v.Type())
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}
