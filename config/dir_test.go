package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
)

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestLoadDir loads from a real directory: which files count, where relative
// paths lead, and what the files are called in diagnostics.
func TestLoadDir(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"b.btp.hcl":          "output \"x\" { value = [var.x, file(\"data.txt\"), templatefile(\"sub.tmpl\", { n = 1 })] }\n",
		"a.btp.hcl":          "btplan { project = \"p\" }\nvariable \"x\" {}\n",
		"c.btp.json":         `{"output": {"json": {"value": "${upper(var.x)}"}}}`,
		"x.auto.btpvars.hcl": "x = \"auto\"\n",
		"data.txt":           "data",
		"sub.tmpl":           "n=${n}",
		".#b.btp.hcl":        "an editor's copy",
		"c.btp.hcl~":         "another",
		"other.hcl":          "not ours",
	})
	cfg, files, diags := Load(dir, testTypes())
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	want := "project p\nvar.x = \"auto\" sensitive=false\n" +
		"output.json = \"AUTO\" sensitive=false string\n" +
		"output.x = [\"auto\",\"data\",\"n=1\"] sensitive=false tuple([string,string,string])\n"
	if diff := cmp.Diff(want, dump(t, cfg)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if cfg.Dir != dir {
		t.Errorf("Dir is %q", cfg.Dir)
	}
	for _, name := range []string{"a.btp.hcl", "b.btp.hcl", "c.btp.json", "x.auto.btpvars.hcl"} {
		if files[filepath.Join(dir, name)] == nil {
			t.Errorf("%s is not among the files", name)
		}
	}
}

// TestLoadUnreadable: what can't be read is a diagnostic, and nothing blocks.
func TestLoadUnreadable(t *testing.T) {
	const project = "btplan { project = \"p\" }\n"
	tests := []struct {
		name, want string
		make       func(t *testing.T, dir string)
	}{
		{"nothing", "There is no *.btp.hcl or *.btp.json file in", func(*testing.T, string) {}},
		{"no directory", "The directory can't be read", func(t *testing.T, dir string) {
			if err := os.Remove(dir); err != nil {
				t.Fatal(err)
			}
		}},
		// A pipe or device would do the same, or would block if it were read.
		{"not a file", "not a regular file", func(t *testing.T, dir string) {
			if err := os.Symlink(dir, filepath.Join(dir, "p.btp.hcl")); err != nil {
				t.Fatal(err)
			}
		}},
		{"not a file as data", "not a regular file", func(t *testing.T, dir string) {
			write(t, dir, map[string]string{"a.btp.hcl": project + "locals { p = file(\".\") }\n"})
		}},
		{"large data", "larger than 1024 KiB", func(t *testing.T, dir string) {
			write(t, dir, map[string]string{
				"a.btp.hcl": project + "locals { p = file(\"large\") }\n",
				"large":     strings.Repeat("x", maxDataFile+1),
			})
		}},
		{"binary data", "is not text in UTF-8", func(t *testing.T, dir string) {
			write(t, dir, map[string]string{"a.btp.hcl": project + "locals { p = file(\"b\") }\n", "b": "\xff\xfe"})
		}},
		{"large configuration", "larger than 16384 KiB", func(t *testing.T, dir string) {
			write(t, dir, map[string]string{"a.btp.hcl": strings.Repeat("#", maxConfigFile+1)})
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "conf")
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			tt.make(t, dir)
			cfg, files, diags := Load(dir, testTypes())
			if cfg != nil || len(diags) != 1 || diags[0].Severity != hcl.DiagError {
				t.Fatalf("one error is expected, not %v", diags)
			}
			if text := diagnosticText(t, files, diags); !strings.Contains(strings.ReplaceAll(text, "\n", " "), tt.want) {
				t.Errorf("%q is not in:\n%s", tt.want, text)
			}
		})
	}
}

// TestMissingVariable: a caller can find out what to ask for.
func TestMissingVariable(t *testing.T) {
	_, _, diags := loadFiles(map[string][]byte{"main.btp.hcl": []byte(`
btplan { project = "p" }
variable "pass" {
  description = "the word"
  sensitive   = true
}
`)}, testTypes())
	if len(diags) != 1 {
		t.Fatal(diags)
	}
	missing, is := hcl.DiagnosticExtra[MissingVariable](diags[0])
	if want := (MissingVariable{"pass", "the word", true}); !is || missing != want {
		t.Errorf("got %+v, want %+v", missing, want)
	}
}

// TestSensitiveIsNotShown: the values in this archive are all called hunter
// and a number, and no diagnostic may print one, though each is about one.
// The lines that define them are the author's own, and hold no mistakes.
func TestSensitiveIsNotShown(t *testing.T) {
	raw, err := os.ReadFile("testdata/mistakes/sensitive.txtar")
	if err != nil {
		t.Fatal(err)
	}
	_, want, found := strings.Cut(string(raw), "-- want --\n")
	if !found || !strings.Contains(want, "Sensitive value") {
		t.Fatal("the archive has no diagnostics about sensitive values")
	}
	if i := strings.Index(want, "hunter"); i >= 0 {
		t.Errorf("a sensitive value is shown: %s", want[i:min(len(want), i+20)])
	}
}

func TestRequiredVersion(t *testing.T) {
	tests := []struct {
		constraint, version string
		ok                  bool
	}{
		{">= 0.1", "0.1.0", true},
		{">= 0.1", "0.1.0-dev", true},
		{"~> 0.1", "1.0.0", false},
		{"< 0.1", "0.1.0-dev", false},
		{">= 99", "", true},        // a build that doesn't know its version
		{">= 99", "(devel)", true}, // and one by go run
	}
	for _, tt := range tests {
		opts := testTypes()
		opts.Version = tt.version
		src := "btplan {\n  project = \"p\"\n  required_version = \"" + tt.constraint + "\"\n}\n"
		_, _, diags := loadFiles(map[string][]byte{"main.btp.hcl": []byte(src)}, opts)
		if diags.HasErrors() == tt.ok {
			t.Errorf("%s with version %q: %v", tt.constraint, tt.version, diags)
		}
	}
}
