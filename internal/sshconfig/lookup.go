package sshconfig

import (
	"path/filepath"
	"slices"
	"strings"
)

// maxDepth is how deep files may include each other, as with OpenSSH.
const maxDepth = 16

// lookup collects what the files say of one host.
type lookup struct {
	config *Config
	query  Query
	// name is what the patterns of Host are compared with.
	name string
	// final: this is the second pass, the only one in which "Match final"
	// matches. finalSeen: there is such a line, so that a second one is needed.
	final, finalSeen bool

	found      map[string]directive // the first of each keyword
	identities []directive          // IdentityFile adds up
}

// used are the keywords that are looked for, each with the one under which it
// is kept. The two ways of going by way of another host compete.
var used = map[string]string{
	"connecttimeout":       "connecttimeout",
	"globalknownhostsfile": "globalknownhostsfile",
	"hostkeyalias":         "hostkeyalias",
	"hostname":             "hostname",
	"identitiesonly":       "identitiesonly",
	"identityagent":        "identityagent",
	"identityfile":         "identityfile",
	"port":                 "port",
	"proxycommand":         "proxyjump",
	"proxyjump":            "proxyjump",
	"user":                 "user",
	"userknownhostsfile":   "userknownhostsfile",
}

// run walks through the files: the first value of a keyword is the one that
// counts.
func (l *lookup) run() error {
	for {
		for _, file := range []struct{ path, includes string }{
			{l.config.User, filepath.Join(l.config.Home, ".ssh")},
			{l.config.System, filepath.Dir(l.config.System)},
		} {
			if file.path == "" {
				continue
			}
			if err := l.file(file.path, file.includes, 0, verdict{applies: true}); err != nil {
				return err
			}
		}
		if l.final || !l.finalSeen {
			return nil
		}
		name, err := l.hostName()
		if err != nil {
			return err
		}
		l.final, l.name = true, name
	}
}

// verdict says whether a part of a file is for the host.
type verdict struct {
	applies bool
	// doubt is why nobody can tell; nil: it is certain.
	doubt *Error
}

// and is the verdict on a part within another.
func (v verdict) and(inner verdict) verdict {
	switch {
	case !v.applies || !inner.applies:
		return verdict{}
	case inner.doubt == nil:
		return v
	}
	return inner
}

// file walks through one file, of whose lines outer is true.
func (l *lookup) file(path, includes string, depth int, outer verdict) error {
	directives, err := l.config.read(path)
	if err != nil {
		return err
	}
	now := outer
	for _, d := range directives {
		switch d.keyword {
		case "host":
			now = outer.and(verdict{applies: matchList(d.args, l.name)})
		case "match":
			inner, err := l.match(d)
			if err != nil {
				return err
			}
			now = outer.and(inner)
		case "include":
			if !now.applies {
				continue
			}
			if depth == maxDepth {
				return d.fail("the files include each other more than %d deep", maxDepth)
			}
			if err := l.include(d, includes, depth+1, now); err != nil {
				return err
			}
		default:
			if now.applies {
				if err := l.take(d, now.doubt); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// include walks through the files that a line names. Those that don't exist
// are none.
func (l *lookup) include(d directive, dir string, depth int, now verdict) error {
	for _, pattern := range d.args {
		pattern = l.config.home(pattern)
		if !filepath.IsAbs(pattern) {
			pattern = filepath.Join(dir, pattern)
		}
		paths, err := filepath.Glob(pattern)
		if err != nil {
			return d.fail("%q is not a pattern of file names", pattern)
		}
		for _, path := range paths {
			if err := l.file(path, dir, depth, now); err != nil {
				return err
			}
		}
	}
	return nil
}

// take notes what a line says, unless it was said before.
func (l *lookup) take(d directive, doubt *Error) error {
	key, isUsed := used[d.keyword]
	if !isUsed || slices.Contains(l.query.Given, key) {
		return nil
	}
	same := func(other directive) bool { return slices.Equal(other.args, d.args) }
	if _, known := l.found[key]; known && key != "identityfile" || slices.ContainsFunc(l.identities, same) {
		return nil
	}
	if doubt != nil {
		return &Error{doubt.File, doubt.Line, doubt.Detail + ", so it can't tell whether the " + d.keyword + " below is for " + l.query.Host +
			". Say in the ssh block what is right there, or put a Host block for it above this line"}
	}
	if key == "identityfile" {
		l.identities = append(l.identities, d)
		return nil
	}
	l.found[key] = d
	return nil
}

// match works out the criteria of a Match line. All have to hold.
func (l *lookup) match(d directive) (verdict, error) {
	out := verdict{applies: true}
	for args := d.args; len(args) > 0 && out.applies; {
		criterion, negated := strings.CutPrefix(strings.ToLower(args[0]), "!")
		args = args[1:]
		var holds bool
		switch criterion {
		case "all":
			holds = true
		case "final":
			holds, l.finalSeen = l.final, true
		case "canonical":
			// Names are not made canonical here, but to OpenSSH too the second
			// pass counts as the one after that.
			holds = l.final
		case "host", "originalhost", "user", "localuser":
			if len(args) == 0 {
				return verdict{}, d.fail("the Match criterion %s has no value", criterion)
			}
			value, err := l.criterion(criterion)
			if err != nil {
				return verdict{}, err
			}
			patterns := args[0]
			if strings.HasSuffix(criterion, "host") {
				patterns, value = strings.ToLower(patterns), strings.ToLower(value)
			}
			holds = matchList(strings.Split(patterns, ","), value)
			args = args[1:]
		default:
			// What follows can't be told from this one's value.
			out.doubt = d.fail("btplan does not work out the Match criterion %q", criterion)
			return out, nil
		}
		out.applies = holds != negated
	}
	return out, nil
}

// criterion is what a criterion of Match is compared with.
func (l *lookup) criterion(name string) (string, error) {
	switch name {
	case "host":
		return l.hostName()
	case "originalhost":
		return l.query.Host, nil
	case "user":
		return l.user(), nil
	}
	return l.config.LocalUser, nil
}
