package powershell

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// common are parameters of all cmdlets (about_CommonParameters).
var common = []string{"-ErrorAction"}

// Every script of btplan's is PowerShell, and calls no cmdlet and names no
// parameter that Windows doesn't have. No PowerShell runs here: what tells is
// the grammar that editors use, and a list from the documentation.
func TestScripts(t *testing.T) {
	check := buildGrammar(t)
	known := readCmdlets(t)
	scripts := 0
	err := filepath.WalkDir("../..", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".ps1" {
			return err
		}
		scripts++
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		t.Run(filepath.Base(path), func(t *testing.T) { checkScript(t, check, known, string(text)) })
		return nil
	})
	if err != nil || scripts < 2 {
		t.Errorf("%d scripts, %v", scripts, err)
	}
	// The grammar does see mistakes.
	for _, bad := range []string{"if ($x { }", "@{ a = 'b }", "$x = "} {
		if report := check(t, bad); len(report.Errors) == 0 {
			t.Errorf("%q passes for PowerShell", bad)
		}
	}
}

// report is what the program in grammar prints.
type report struct {
	Errors   []string
	Commands []struct {
		Line       int
		Name       string
		Parameters []string
	}
}

var (
	ownFunction = regexp.MustCompile(`(?m)^function (\S+?)\(`)
	splatted    = regexp.MustCompile(`(?s)\$settings = @\{(.*?)\n\s*\}`)
	settingName = regexp.MustCompile(`(?m)^\s*(\w+)\s*=`)
	settingMore = regexp.MustCompile(`\$settings\['(\w+)'\]`)
)

func checkScript(t *testing.T, check func(*testing.T, string) report, known map[string][]string, text string) {
	r := check(t, text)
	for _, e := range r.Errors {
		t.Error(e)
	}
	own := map[string]bool{}
	for _, f := range ownFunction.FindAllStringSubmatch(text, -1) {
		own[f[1]] = true
	}
	for _, c := range r.Commands {
		if own[c.Name] || strings.HasPrefix(c.Name, "(") {
			continue
		}
		parameters, found := known[c.Name]
		if !found {
			t.Errorf("line %d: the command %s is not in testdata/cmdlets.txt", c.Line, c.Name)
		}
		for _, p := range c.Parameters {
			if !slices.Contains(parameters, p) && !slices.Contains(common, p) {
				t.Errorf("line %d: %s has no parameter %s in testdata/cmdlets.txt", c.Line, c.Name, p)
			}
		}
	}
	settings := settingMore.FindAllStringSubmatch(text, -1)
	for _, s := range splatted.FindAllStringSubmatch(text, -1) {
		settings = append(settings, settingName.FindAllStringSubmatch(s[1], -1)...)
	}
	for _, name := range settings {
		if !slices.Contains(known["New-NetFirewallRule"], "-"+name[1]) {
			t.Errorf("New-NetFirewallRule has no parameter -%s in testdata/cmdlets.txt", name[1])
		}
	}
}

// buildGrammar builds the program in grammar, which takes a C compiler.
func buildGrammar(t *testing.T) func(*testing.T, string) report {
	t.Helper()
	if _, err := exec.LookPath("gcc"); err != nil {
		if os.Getenv("BTPLAN_LAB") == "required" {
			t.Fatal(err)
		}
		t.Skip("the grammar is C: ", err)
	}
	run := func(name string, args ...string) string {
		cmd := exec.Command(name, args...)
		cmd.Dir = "grammar"
		cmd.Env = append(os.Environ(), "CGO_ENABLED=1")
		if len(args) > 0 && args[0] == "build" {
			// The grammar's scanner looks for its own header among the system's.
			dir := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/airbus-cert/tree-sitter-powershell")
			dir.Dir = "grammar"
			out, err := dir.Output()
			if err != nil {
				t.Fatal(err)
			}
			cmd.Env = append(cmd.Env, "CGO_CFLAGS=-O1 -I"+filepath.Join(strings.TrimSpace(string(out)), "src"))
		}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s %v: %v\n%s", name, args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	run("go", "mod", "download")
	program := filepath.Join(t.TempDir(), "grammar")
	run("go", "build", "-o", program, ".")
	return func(t *testing.T, script string) report {
		t.Helper()
		cmd := exec.Command(program)
		cmd.Stdin = strings.NewReader(script)
		out, err := cmd.Output()
		var r report
		if err = errors.Join(err, json.NewDecoder(bytes.NewReader(out)).Decode(&r)); err != nil {
			t.Fatal(err)
		}
		return r
	}
}

// readCmdlets reads the cmdlets with their parameters.
func readCmdlets(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("testdata/cmdlets.txt")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string][]string{}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 0 && f[0] != "#" {
			known[f[0]] = f[1:]
		}
	}
	return known
}
