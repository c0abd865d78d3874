package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/btplan/btplan/internal/lab"
	tfjson "github.com/hashicorp/terraform-json"
	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(lab.Tests(m), map[string]func(){"btplan": main})
}

// TestScript runs the scripts of testdata/script with the real program.
// Their own commands: "code N ARGS..." runs btplan and wants exit code N; "tfjson KIND FILE" decodes FILE with
// hashicorp/terraform-json, where KIND is plan, state, validate or lines;
// "example NAME" copies an example into the script's directory.
func TestScript(t *testing.T) {
	examples, err := filepath.Abs("../../examples")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
		Setup: func(env *testscript.Env) error {
			env.Setenv("EXAMPLES", examples)
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"code":    code,
			"tfjson":  decode,
			"example": example,
		},
	})
}

// code runs btplan and checks its exit code.
func code(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: code N ARGS...")
	}
	err := ts.Exec("btplan", args[1:]...)
	got := 0
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if strconv.Itoa(got) != args[0] {
		ts.Fatalf("btplan %q exits with %d, not %s", args[1:], got, args[0])
	}
}

func decode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: tfjson plan|state|validate|lines FILE")
	}
	raw := []byte(ts.ReadFile(args[1]))
	var err error
	switch args[0] {
	case "plan":
		err = json.Unmarshal(raw, &tfjson.Plan{})
	case "state":
		err = json.Unmarshal(raw, &tfjson.State{})
	case "validate":
		err = json.Unmarshal(raw, &tfjson.ValidateOutput{})
	case "lines":
		for line := range bytes.Lines(raw) {
			if _, err = tfjson.UnmarshalLogMessage(line); err != nil {
				break
			}
		}
	}
	ts.Check(err)
}

// example copies the files of an example, but not what a run left there.
func example(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: example NAME")
	}
	from := filepath.Join(ts.Getenv("EXAMPLES"), args[0])
	entries, err := os.ReadDir(from)
	ts.Check(err)
	for _, e := range entries {
		if matched, _ := filepath.Match("*.simulated.json*", e.Name()); matched {
			continue
		}
		raw, err := os.ReadFile(filepath.Join(from, e.Name()))
		ts.Check(err)
		ts.Check(os.WriteFile(ts.MkAbs(e.Name()), raw, 0o600))
	}
}
