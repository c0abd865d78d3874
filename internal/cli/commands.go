package cli

import (
	"context"
	"slices"
	"strings"

	"github.com/agext/levenshtein"
	"github.com/urfave/cli/v3"
)

// command is one of btplan's commands.
type command struct {
	name    string
	args    string // how the arguments are shown: "[FILE]"
	maxArgs int    // how many there may be
	about   string // one line for the list of commands
	detail  string // what its own help says beyond that
	options []string
	run     func(r *run, ctx context.Context, args []string) int
}

// Options that go together.
var (
	inputOptions = []string{"var", "var-file"}
	planOptions  = slices.Concat([]string{"target", "parallelism", "lock-timeout", "compact-warnings", "json"}, inputOptions)
)

// commands are all there are, in the order in which the help lists them.
func commands() []command {
	with := func(more ...string) []string { return slices.Concat(more, planOptions) }
	return []command{
		{name: "validate", about: "Check whether the configuration is valid", options: slices.Concat([]string{"json", "compact-warnings"}, inputOptions), run: (*run).validate,
			detail: "Reads the configuration and reports every mistake in it. No device is touched."},
		{name: "fmt", args: "[PATH...]", maxArgs: -1, about: "Put the configuration's files into the usual format", options: []string{"check", "diff", "write", "list", "recursive"}, run: (*run).format,
			detail: "Formats the .btp.hcl and .btpvars.hcl files of the directory, or of the given\npaths, and lists those it changed. A PATH of - is the standard input."},
		{name: "plan", about: "Show what apply would change", options: with("out", "destroy", "detailed-exitcode", "input"), run: (*run).plan,
			detail: "Reads the devices, compares them with the configuration and shows the\ndifference. Nothing is changed."},
		{name: "apply", args: "[FILE]", maxArgs: 1, about: "Make the devices match the configuration", options: with("auto-approve", "input", "destroy", "renew"), run: (*run).apply,
			detail: "Shows the plan, asks, and carries it out. With FILE, a plan that\n`btplan plan -out=FILE` saved, it carries that out without asking, unless the\ndevices have changed since. With -renew, for a timer, it renews the leases that\nare past half their time and leaves everything else alone."},
		{name: "destroy", about: "Remove every rule that btplan made", options: with("auto-approve", "input"), run: (*run).destroyAll,
			detail: "Shows what would be removed, asks, and removes it: the rules of this project on\nthe devices of the configuration. No other device is looked at. Before you\nremove a gateway's block, or change where it points, run\n`btplan destroy -target=gateway.NAME`. Rules that this project did not make stay."},
		{name: "show", args: "[FILE]", maxArgs: 1, about: "Show what the devices hold, or a saved plan", options: slices.Concat([]string{"target", "parallelism", "lock-timeout", "json"}, inputOptions), run: (*run).show,
			detail: "Without FILE, reads the devices and shows the rules that btplan made there.\nWith FILE, shows a plan that `btplan plan -out=FILE` saved."},
		{name: "output", args: "[NAME]", maxArgs: 1, about: "Show the outputs of the configuration", options: slices.Concat([]string{"raw", "json"}, inputOptions), run: (*run).output,
			detail: "Shows all outputs, or the value of one."},
		{name: "graph", about: "Show the configuration as a graph, for Graphviz", options: inputOptions, run: (*run).graph,
			detail: "Prints the machines, gateways and port ranges, and which refers to which, in the\nlanguage of Graphviz. To draw it, run:\n\n  btplan graph | dot -Tsvg > ports.svg\n\nNo device is touched."},
		{name: "discover", about: "Find the routers on this network", options: []string{"interface", "json", "hcl"}, run: (*run).discover,
			detail: "Asks the network for routers that can be told to open ports, and lists them.\nNothing is changed, and no configuration is needed: -hcl prints one to start\nfrom."},
		{name: "console", about: "Try out expressions of the configuration", options: inputOptions, run: (*run).console,
			detail: "Reads expressions and prints their values, until exit or the end of the input.\nThey can use the variables, blocks and functions of the configuration. While a\nbracket is open, an expression goes on in the next line. From a pipe, the first\nmistake ends it:\n\n  echo 'ports(6881, 9)' | btplan console\n\nNo device is touched."},
		{name: "version", about: "Show the version of btplan", options: []string{"json"}, run: (*run).version},
	}
}

// commandLine sets up the parser.
func (r *run) commandLine() *cli.Command {
	root := &cli.Command{
		Name:            "btplan",
		HideHelpCommand: true, // it would take the argument of apply and show for itself
		Writer:          r.Stdout,
		ErrWriter:       r.Stderr,
		Flags:           r.flags(globalOptions),
		StopOnNthArg:    new(1), // what follows an unknown command is that command's
		ExitErrHandler:  func(context.Context, *cli.Command, error) {},
		OnUsageError:    r.usageError("", globalOptions),

		CustomRootCommandHelpTemplate: rootHelp(),
		CommandNotFound: func(ctx context.Context, _ *cli.Command, name string) { // after -help
			r.code = r.noCommand(ctx, []string{name})
		},
		Action: func(ctx context.Context, c *cli.Command) error {
			r.code = r.noCommand(ctx, c.Args().Slice())
			return nil
		},
	}
	for _, c := range commands() {
		root.Commands = append(root.Commands, &cli.Command{
			Name:         c.name,
			Flags:        r.flags(c.options),
			OnUsageError: r.usageError(c.name, slices.Concat(c.options, globalOptions)),

			CustomHelpTemplate: commandHelp(c),
			CommandNotFound:    func(context.Context, *cli.Command, string) { say(r.Stdout, "%s", commandHelp(c)) }, // arguments after -help
			Action: func(ctx context.Context, parsed *cli.Command) error {
				r.code = r.start(ctx, c, parsed.Args().Slice())
				return nil
			},
		})
	}
	return root
}

// start runs a command whose options are read.
func (r *run) start(ctx context.Context, c command, args []string) int {
	if r.showVersion {
		return r.version(ctx, nil)
	}
	if c.maxArgs >= 0 && len(args) > c.maxArgs {
		say(r.Stderr, "btplan %s takes %s, but was also given %q.\n\nTo see how it is used, run:\n  btplan %s -help\n", c.name, argCount(c.maxArgs), args[c.maxArgs], c.name)
		return exitError
	}
	return c.run(r, ctx, args)
}

func argCount(most int) string {
	if most == 0 {
		return "no arguments"
	}
	return "one argument"
}

// noCommand is what happens when no command was given, or one that isn't
// there.
func (r *run) noCommand(ctx context.Context, args []string) int {
	if r.showVersion {
		return r.version(ctx, nil)
	}
	if len(args) == 0 {
		say(r.Stderr, "%s", rootHelp())
		return exitError
	}
	name := args[0]
	if name == "help" {
		if len(args) == 1 {
			say(r.Stdout, "%s", rootHelp())
			return exitOK
		}
		name = args[1]
	}
	var names []string
	for _, c := range commands() {
		if c.name == name { // after help: else it would have been run
			say(r.Stdout, "%s", commandHelp(c))
			return exitOK
		}
		names = append(names, c.name)
	}
	if why, known := elsewhere[name]; known {
		say(r.Stderr, "btplan has no command named %q: %s\n", name, why)
		return exitError
	}
	say(r.Stderr, "btplan has no command named %q.%s\n\nTo see all of btplan's commands, run:\n  btplan -help\n", name, didYouMean(name, names, `"`))
	return exitError
}

// usageError prints what is wrong with the options of a command; of btplan
// itself when the name is empty.
func (r *run) usageError(name string, known []string) cli.OnUsageErrorFunc {
	program := strings.TrimSpace("btplan " + name)
	return func(_ context.Context, _ *cli.Command, err error, _ bool) error {
		r.code = exitError
		say(r.Stderr, "%s\n\nTo see its options, run:\n  %s -help\n", misread(err, name, known), program)
		return nil
	}
}

// sentence begins with a capital letter and ends with a full stop.
func sentence(s string) string { return strings.ToUpper(s[:1]) + s[1:] + "." }

// didYouMean is a question with the known word that is closest to a mistyped
// one; empty if none is close.
func didYouMean(word string, known []string, quote string) string {
	best, least := "", 3 // more mistyped letters than two make another word
	for _, k := range known {
		if d := levenshtein.Distance(word, k, nil); d < least && d < len(k) {
			best, least = k, d
		}
	}
	if best == "" {
		return ""
	}
	closing := quote
	if quote == "-" {
		closing = ""
	}
	return " Did you mean " + quote + best + closing + "?"
}
