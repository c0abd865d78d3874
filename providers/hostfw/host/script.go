package host

import (
	"strings"

	"github.com/btplan/btplan/internal/script"
)

// HeredocOr is script.Heredoc for a command on whose failure a function
// returns.
func HeredocOr(text string) string {
	return strings.TrimSuffix(strings.Replace(script.Heredoc(text, "END"), "\n", " || return\n", 1), "\n")
}
