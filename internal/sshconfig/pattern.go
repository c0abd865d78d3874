package sshconfig

import "strings"

// matchPattern says whether s is what a pattern describes, in which * stands
// for any characters and ? for just one (ssh_config(5), PATTERNS).
func matchPattern(pattern, s string) bool {
	// After a mismatch, the last * takes one character more.
	star, retry := -1, 0
	p, i := 0, 0
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, retry = p, i
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == s[i]):
			p++
			i++
		case star >= 0:
			retry++
			p, i = star+1, retry
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// matchList says whether some pattern matches s, and none that begins with !
// does.
func matchList(patterns []string, s string) bool {
	found := false
	for _, pattern := range patterns {
		positive, negated := strings.CutPrefix(pattern, "!")
		if !matchPattern(positive, s) {
			continue
		}
		if negated {
			return false
		}
		found = true
	}
	return found
}
