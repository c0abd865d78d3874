package host

import (
	"strings"

	"github.com/btplan/btplan/internal/script"
)

// HeredocOr is script.Heredoc for a command on whose failure a function
// returns. The text may be others' in part, and hold any line.
func HeredocOr(text string) string {
	tag := "END"
	for strings.Contains(text, tag) {
		tag += "_"
	}
	return strings.TrimSuffix(strings.Replace(script.Heredoc(text, tag), "\n", " || return\n", 1), "\n")
}
