package cli

import (
	"fmt"
	"io"
	"strings"
)

// say prints; stream remembers what goes wrong with that.
func say(w io.Writer, format string, args ...any) {
	_, _ = fmt.Fprintf(w, format, args...)
}

// rootHelp is what btplan -help prints.
func rootHelp() string {
	var w strings.Builder
	w.WriteString("Usage: btplan [global options] COMMAND [options] [arguments]\n\n" +
		"btplan opens ports for BitTorrent on firewalls and NAT gateways, as the\n" +
		"configuration in the current directory says.\n\nCommands:\n")
	for _, c := range commands() {
		fmt.Fprintf(&w, "  %-10s %s\n", c.name, c.about)
	}
	w.WriteString("\nGlobal options:\n" + optionsHelp(globalOptions) +
		"\nFor the options of a command, run: btplan COMMAND -help\n")
	return w.String()
}

// commandHelp is what btplan COMMAND -help prints.
func commandHelp(c command) string {
	var w strings.Builder
	w.WriteString(strings.TrimSuffix("Usage: btplan "+c.name+" [options] "+c.args, " ") + "\n\n")
	detail := c.detail
	if detail == "" {
		detail = c.about + "."
	}
	w.WriteString(detail + "\n\nOptions:\n" + optionsHelp(c.options) +
		"\nGlobal options:\n" + optionsHelp(globalOptions))
	return w.String()
}

func optionsHelp(names []string) string {
	known := allOptions()
	var w strings.Builder
	for _, name := range names {
		o := known[name]
		shown := "-" + name
		if o.value != "" {
			shown += "=" + o.value
		}
		fmt.Fprintf(&w, "  %-20s %s\n", shown, strings.ReplaceAll(o.usage, "\n", "\n"+strings.Repeat(" ", 23)))
	}
	return w.String()
}
