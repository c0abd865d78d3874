package cli

import (
	"errors"
	"fmt"
	"time"

	"github.com/btplan/btplan/config"
	"github.com/btplan/btplan/internal/engine"
	"github.com/btplan/btplan/providers"
	"github.com/urfave/cli/v3"
)

// options are all that can be set on the command line.
type options struct {
	showVersion, noColor bool
	dir                  string // -chdir

	inputs          []config.Input
	targets         []engine.Target
	parallelism     int
	lockTimeout     *time.Duration // nil: as long as is usual
	json            bool
	compactWarnings bool

	destroy, autoApprove, input, detailedExitCode bool
	renewOnly                                     bool   // -renew
	planFile                                      string // -out

	networkInterface string // -interface
	hcl              bool

	raw                                 bool
	check, diff, write, list, recursive bool
}

// globalOptions may stand before the command or after it.
var globalOptions = []string{"chdir", "no-color", "help", "version"}

// option is how one option is read and shown. Options take one dash or two.
type option struct {
	value string // a name for its value; empty: it is true or false
	usage string
	flag  func(o *options, name string) cli.Flag // nil: the parser has it
}

// each is an option that may be given several times.
type each func(string) error

func (f each) Set(s string) error { return f(s) }
func (f each) String() string     { return "" }
func (f each) Get() any           { return nil }

func repeated(set func(o *options, s string) error) func(*options, string) cli.Flag {
	return func(o *options, name string) cli.Flag {
		return &cli.GenericFlag{Name: name, Value: each(func(s string) error {
			if err := notEmpty(s); err != nil {
				return err
			}
			return set(o, s)
		})}
	}
}

// notEmpty refuses what a script passes on from an unset variable: as if the
// option had not been given would hardly be what it means.
func notEmpty(s string) error {
	if s == "" {
		return errors.New("it must not be empty")
	}
	return nil
}

// parseTimeout reads how long to wait at most. 0 needs no unit.
func parseTimeout(s string) (*time.Duration, error) {
	d, err := time.ParseDuration(s)
	switch {
	case err != nil:
		return nil, errors.New("it is not a time such as 10s, 3m or 1h30m")
	case d < 0:
		return nil, errors.New("it must not be negative; 0s is not to wait at all")
	}
	return &d, nil
}

func boolean(initial bool, field func(*options) *bool) func(*options, string) cli.Flag {
	return func(o *options, name string) cli.Flag {
		return &cli.BoolFlag{Name: name, Value: initial, Destination: field(o)}
	}
}

func text(field func(*options) *string) func(*options, string) cli.Flag {
	return func(o *options, name string) cli.Flag {
		return &cli.StringFlag{Name: name, Destination: field(o), Validator: notEmpty}
	}
}

// allOptions are the options there are, by name.
func allOptions() map[string]option {
	return map[string]option{
		"chdir":    {"DIR", "Work in this directory instead of the current one.", text(func(o *options) *string { return &o.dir })},
		"no-color": {"", "Print without colours.", boolean(false, func(o *options) *bool { return &o.noColor })},
		"help":     {"", "Show this help.", nil},
		"version":  {"", "Show the version, as the version command does.", boolean(false, func(o *options) *bool { return &o.showVersion })},

		"var": {"NAME=VALUE", "Set an input variable. Can be given several times.", repeated(func(o *options, s string) error {
			o.inputs = append(o.inputs, config.Input{Var: s})
			return nil
		})},
		"var-file": {"FILE", "Set input variables from a file. Can be given several times.", repeated(func(o *options, s string) error {
			o.inputs = append(o.inputs, config.Input{File: s})
			return nil
		})},
		"target": {"ADDR", "Only what is at this address, such as gateway.edge or\nport_range.seedbox. Can be given several times.", repeated(func(o *options, s string) error {
			t, err := engine.ParseTarget(s)
			o.targets = append(o.targets, t)
			return err
		})},
		"parallelism": {"N", "Work on up to N devices at once; default 32.", func(o *options, name string) cli.Flag {
			return &cli.IntFlag{Name: name, Value: 32, Destination: &o.parallelism, Validator: func(n int) error {
				if n < 1 {
					return errors.New("it must be at least 1")
				}
				return nil
			}}
		}},
		"lock-timeout": {"TIME", fmt.Sprintf("Wait so long while others change a device; default\n%s to read it, %s to change it.", providers.ReadLockTimeout, providers.ChangeLockTimeout), func(o *options, name string) cli.Flag {
			return &cli.GenericFlag{Name: name, Value: each(func(s string) (err error) {
				o.lockTimeout, err = parseTimeout(s)
				return err
			})}
		}},
		"json":             {"", "Print JSON, for programs.", boolean(false, func(o *options) *bool { return &o.json })},
		"compact-warnings": {"", "Show only the summaries of warnings.", boolean(false, func(o *options) *bool { return &o.compactWarnings })},

		"out":               {"FILE", "Save the plan, to be applied by btplan apply FILE.", text(func(o *options) *string { return &o.planFile })},
		"destroy":           {"", "Plan to remove every rule that btplan made.", boolean(false, func(o *options) *bool { return &o.destroy })},
		"detailed-exitcode": {"", "Exit with 2 if there are changes, with 4 if a device\ncould not be read.", boolean(false, func(o *options) *bool { return &o.detailedExitCode })},
		"auto-approve":      {"", "Don't ask for approval.", boolean(false, func(o *options) *bool { return &o.autoApprove })},
		"input":             {"", "Ask for approval (the default); -input=false never asks.", boolean(true, func(o *options) *bool { return &o.input })},

		"renew": {"", "Renew leases and do nothing else, without asking.", boolean(false, func(o *options) *bool { return &o.renewOnly })},

		"interface": {"NAME", "Look on this network interface only.", text(func(o *options) *string { return &o.networkInterface })},
		"hcl":       {"", "Print a configuration to start from.", boolean(false, func(o *options) *bool { return &o.hcl })},

		"raw": {"", "Print the value of NAME as it is, without quotes.", boolean(false, func(o *options) *bool { return &o.raw })},

		"check":     {"", "Change nothing; exit with 3 if a file is not formatted.", boolean(false, func(o *options) *bool { return &o.check })},
		"diff":      {"", "Show the differences.", boolean(false, func(o *options) *bool { return &o.diff })},
		"write":     {"", "Write the files (the default); -write=false leaves them.", boolean(true, func(o *options) *bool { return &o.write })},
		"list":      {"", "List the files that change (the default).", boolean(true, func(o *options) *bool { return &o.list })},
		"recursive": {"", "Go into the directories below, too.", boolean(false, func(o *options) *bool { return &o.recursive })},
	}
}

// flags gives the parser the options with these names.
func (r *run) flags(names []string) []cli.Flag {
	known := allOptions()
	var out []cli.Flag
	for _, name := range names {
		if o := known[name]; o.flag != nil {
			out = append(out, o.flag(&r.options, name))
		}
	}
	return out
}
