package sshconfig

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// parseHop reads "[user@]host[:port]", with brackets around an IPv6 address
// that has a port, or the same as an ssh URI.
func parseHop(s string) (Hop, bool) {
	s, isURI := strings.CutPrefix(s, "ssh://")
	if isURI {
		s = strings.TrimSuffix(s, "/")
	}
	var h Hop
	if at := strings.LastIndexByte(s, '@'); at >= 0 {
		h.User, s = s[:at], s[at+1:]
		if h.User == "" {
			return h, false
		}
	}
	port := ""
	if inner, rest, found := strings.Cut(strings.TrimPrefix(s, "["), "]"); found && s[0] == '[' {
		h.Host, port = inner, rest
		if rest != "" && rest[0] != ':' {
			return h, false
		}
	} else if colon := strings.IndexByte(s, ':'); colon >= 0 && strings.Count(s, ":") == 1 {
		h.Host, port = s[:colon], s[colon:]
	} else {
		h.Host = s
	}
	if port != "" {
		n, err := strconv.ParseUint(port[1:], 10, 16)
		if err != nil || n == 0 {
			return h, false
		}
		h.Port = int(n)
	}
	return h, h.Host != ""
}

func parseFlag(d directive, text string) (bool, error) {
	switch strings.ToLower(text) {
	case "yes", "true":
		return true, nil
	case "no", "false":
		return false, nil
	}
	return false, d.fail("%s is yes or no, but this is %q", d.keyword, text)
}

// parseTime reads a length of time: numbers with a unit, or seconds
// (sshd_config(5), TIME FORMATS).
func parseTime(s string) (time.Duration, bool) {
	if !times.MatchString(s) {
		return 0, false
	}
	units := map[string]time.Duration{"": time.Second, "s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour, "w": 7 * 24 * time.Hour}
	var sum time.Duration
	for _, part := range timePart.FindAllStringSubmatch(strings.ToLower(s), -1) {
		n, err := strconv.Atoi(part[1])
		if err != nil || n > 1_000_000 {
			return 0, false
		}
		sum += time.Duration(n) * units[part[2]]
	}
	return sum, true
}

var (
	times    = regexp.MustCompile(`(?i)^(\d+[smhdw]?)+$`)
	timePart = regexp.MustCompile(`(\d+)([smhdw]?)`)
)

// expand replaces tokens such as %h.
func expand(d directive, s string, tokens map[byte]string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b.WriteByte(s[i])
			continue
		}
		i++
		if i == len(s) {
			return "", d.fail("%q ends with a %%: write %%%% for one", s)
		}
		if s[i] == '%' {
			b.WriteByte('%')
			continue
		}
		value, known := tokens[s[i]]
		if !known {
			return "", d.fail("btplan does not know what %%%c stands for in %s", s[i], d.keyword)
		}
		b.WriteString(value)
	}
	return b.String(), nil
}
