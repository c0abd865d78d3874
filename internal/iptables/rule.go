package iptables

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Rule is one rule of a chain.
type Rule struct {
	Chain   string
	Options []Option
}

// Option is one option of a rule with its values: --dport 6881:6889. The words
// are kept, not understood.
type Option struct {
	Not    bool // "!" stands in front of it
	Name   string
	Values []string
}

// String is the rule as iptables-save prints it and iptables-restore takes it.
func (r Rule) String() string { return "-A " + r.Chain + r.Spec() }

// Spec is the rule without the command and the chain, with a blank in front.
func (r Rule) Spec() string {
	var b strings.Builder
	for _, o := range r.Options {
		if o.Not {
			b.WriteString(" !")
		}
		b.WriteString(" " + o.Name)
		for _, v := range o.Values {
			b.WriteString(" " + Quote(v))
		}
	}
	return b.String()
}

// Option finds an option by any of its names.
func (r Rule) Option(names ...string) (Option, bool) {
	for _, o := range r.Options {
		if slices.Contains(names, o.Name) {
			return o, true
		}
	}
	return Option{}, false
}

// Value gives the one value of an option; empty if the rule has it not, with
// no value, with several, or with "!" in front.
func (r Rule) Value(names ...string) string {
	if o, found := r.Option(names...); found && !o.Not && len(o.Values) == 1 {
		return o.Values[0]
	}
	return ""
}

// Target is the target or chain that the rule leads to; empty if it has none.
func (r Rule) Target() string { return r.Value("-j", "-g") }

// Comment is what the rule's comment says; empty if it has none.
func (r Rule) Comment() string { return r.Value("--comment") }

// Same says whether r and o are in the same chain and have the same options.
// In which order these stand, which the variants of iptables see differently,
// makes no difference; nor does -m, which only says where an option comes from.
func (r Rule) Same(o Rule) bool { return r.Canonical() == o.Canonical() }

// Canonical is a spelling that rules which are the [Rule.Same] have in common.
func (r Rule) Canonical() string {
	sorted := slices.DeleteFunc(slices.Clone(r.Options), func(o Option) bool { return o.Name == "-m" })
	slices.SortFunc(sorted, Option.compare)
	var b strings.Builder
	fmt.Fprintf(&b, "%q", r.Chain)
	for _, o := range sorted {
		fmt.Fprintf(&b, " %t %q %q", o.Not, o.Name, o.Values)
	}
	return b.String()
}

func (o Option) compare(p Option) int {
	not := 0
	if o.Not != p.Not {
		not = 1
		if p.Not {
			not = -1
		}
	}
	return cmp.Or(cmp.Compare(o.Name, p.Name), not, slices.Compare(o.Values, p.Values))
}

// ParseRule reads one rule: -A CHAIN and its options.
func ParseRule(line string) (Rule, error) {
	_, words, rest, err := cutLine(line)
	if err == nil && rest != "" {
		err = errors.New("there is more than one line")
	}
	if err != nil {
		return Rule{}, err
	}
	return parseRule(words)
}

func parseRule(words []word) (Rule, error) {
	if len(words) < 2 || words[0] != (word{text: "-A"}) {
		return Rule{}, fmt.Errorf("%q begins no rule", joinWords(words))
	}
	r := Rule{Chain: words[1].text}
	not := false
	words = words[2:]
	for i, w := range words {
		n := len(r.Options)
		switch {
		case w == word{text: "!"}:
			if not {
				return Rule{}, errors.New("a rule has ! twice in a row")
			}
			not = true
		case n > 0 && takesAnything(r.Options[n-1]) && words[i-1] == word{text: r.Options[n-1].Name}:
			r.Options[n-1].Values = []string{w.text}
		case strings.HasPrefix(w.text, "-") && len(w.text) > 1 && !w.quoted:
			r.Options = append(r.Options, Option{Not: not, Name: w.text})
			not = false
		case n == 0 || not:
			return Rule{}, fmt.Errorf("a rule has %q where an option is expected", w.text)
		default:
			r.Options[n-1].Values = append(r.Options[n-1].Values, w.text)
		}
	}
	if not {
		return Rule{}, errors.New("nothing stands behind the ! of a rule")
	}
	return r, nil
}

// takesAnything says whether an option's value may look like an option:
// iptables-save quotes it only for other reasons.
func takesAnything(o Option) bool {
	return len(o.Values) == 0 && (o.Name == "--comment" || o.Name == "--log-prefix" || o.Name == "--nflog-prefix")
}
