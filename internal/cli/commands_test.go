package cli

import "testing"

func TestDidYouMean(t *testing.T) {
	known := []string{"plan", "apply", "show", "fmt"}
	for word, want := range map[string]string{
		"plna":  ` Did you mean "plan"?`,
		"aply":  ` Did you mean "apply"?`,
		"APPLY": "",
		"ab":    "",
		"xyz":   "",
		"":      "",
	} {
		if got := didYouMean(word, known, `"`); got != want {
			t.Errorf("didYouMean(%q) = %q, want %q", word, got, want)
		}
	}
}

// TestOptions sees to it that every option which a command names is there.
func TestOptions(t *testing.T) {
	known, used := allOptions(), map[string]bool{}
	names := globalOptions
	for _, c := range commands() {
		names = append(names, c.options...)
	}
	for _, name := range names {
		if used[name] = true; known[name].usage == "" {
			t.Errorf("there is no option %q", name)
		}
	}
	for name := range known {
		if !used[name] {
			t.Errorf("no command has the option %q", name)
		}
	}
}
