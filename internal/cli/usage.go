package cli

import (
	"fmt"
	"slices"
	"strings"
)

// elsewhere says of commands that Terraform has what stands for them here.
var elsewhere = map[string]string{
	"init":      "there is nothing to set up. Write a *.btp.hcl file (btplan discover -hcl prints one to start from), and run btplan plan.",
	"refresh":   "every plan reads the devices, and nothing is stored that could be out of date. Run btplan plan.",
	"state":     "the devices themselves are the state. To see what they hold, run btplan show.",
	"workspace": "a configuration is one project. For another, make another directory with another project.",
}

// misread says what is wrong with the options of a command, of which known are
// those that it has; of btplan itself when the command's name is empty.
func misread(err error, command string, known []string) string {
	program := strings.TrimSpace("btplan " + command)
	text := err.Error()
	if option, bare := strings.CutPrefix(text, "flag needs an argument: "); bare {
		return fmt.Sprintf("The option %s of %s needs a value.", option, program)
	}
	if option, unknown := strings.CutPrefix(text, "flag provided but not defined: -"); unknown {
		if command == "" {
			for _, c := range commands() {
				if name := strings.TrimPrefix(option, "-"); slices.Contains(c.options, name) {
					return fmt.Sprintf("The options of a command stand behind its name: btplan COMMAND -%s", name)
				}
			}
		}
		return fmt.Sprintf("%s has no option -%s.%s", program, option, didYouMean(option, known, "-"))
	}
	text = strings.Replace(text, " for flag ", " for option ", 1)
	// The parser's words for a value of the wrong type are those of Go.
	for function, kind := range map[string]string{": strconv.ParseInt:": "a whole number", ": parse error": "true or false"} {
		if before, _, is := strings.Cut(text, function); is { // what follows repeats the value
			text = before + ": it must be " + kind
		}
	}
	return sentence(text)
}
