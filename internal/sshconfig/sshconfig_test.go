package sshconfig

import (
	"bytes"
	"cmp"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// archive is a test case: files, in whose text $DIR stands for where they are,
// and what is asked for, one host a line, with ssh's options -l and -p.
type archive struct {
	*txtar.Archive
	dir     string
	config  *Config
	queries []Query
	hasSSH  bool // ssh -G can be asked the same
}

func load(t *testing.T, path string) *archive {
	t.Helper()
	ar, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	a := &archive{Archive: ar, dir: t.TempDir(), hasSSH: true}
	a.config = &Config{User: filepath.Join(a.dir, "config"), System: filepath.Join(a.dir, "system"), Home: a.dir, LocalUser: "me"}
	for _, f := range ar.Files {
		switch f.Name {
		case "want":
			continue
		case "queries":
			for line := range strings.Lines(string(f.Data)) {
				a.queries = append(a.queries, parseQuery(t, line))
			}
			continue
		case "system":
			a.hasSSH = false
		}
		file := filepath.Join(a.dir, f.Name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, bytes.ReplaceAll(f.Data, []byte("$DIR"), []byte(a.dir)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return a
}

func parseQuery(t *testing.T, line string) Query {
	t.Helper()
	fields := strings.Fields(line)
	q := Query{Host: fields[0]}
	for i := 1; i < len(fields); i += 2 {
		switch value := fields[i+1]; fields[i] {
		case "-l":
			q.User = value
		case "-p":
			q.Port, _ = strconv.Atoi(value)
		case "-given":
			q.Given = append(q.Given, value)
		default:
			t.Fatalf("what is %s?", fields[i])
		}
	}
	return q
}

// TestLookup compares what the files say with what is written in the archives.
func TestLookup(t *testing.T) {
	t.Setenv("SSHCONFIG_TEST", "/from/env")
	paths, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no archives: %v", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			a := load(t, path)
			var got strings.Builder
			for _, q := range a.queries {
				host, err := a.config.Lookup(q)
				fmt.Fprintf(&got, "%s: %s\n", q.Host, strings.ReplaceAll(text(host, err), a.dir, "$DIR"))
			}
			last := &a.Files[len(a.Files)-1]
			if *update {
				last.Data = []byte(got.String())
				if err := os.WriteFile(path, txtar.Format(a.Archive), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got.String() != string(last.Data) {
				t.Errorf("got\n%s\nwant\n%s", got.String(), last.Data)
			}
		})
	}
}

func text(h *Host, err error) string {
	var mistake *Error
	switch {
	case errors.As(err, &mistake):
		return "error " + mistake.Error()
	case err != nil:
		return "another error " + err.Error()
	case h.ProxyCommand != nil:
		return "ProxyCommand " + h.ProxyCommand.Error()
	}
	out := fmt.Sprintf("%s@%s:%d", h.User, h.HostName, h.Port)
	say := func(given bool, format string, args ...any) {
		if given {
			out += " " + fmt.Sprintf(format, args...)
		}
	}
	say(h.ConnectTimeout != 0, "timeout=%s", h.ConnectTimeout)
	say(h.IdentityFiles != nil, "identities=%q", h.IdentityFiles)
	say(h.IdentitiesOnly, "only")
	say(h.IdentityAgent != "", "agent=%q", h.IdentityAgent)
	say(h.KnownHostsFiles != nil, "known=%q", h.KnownHostsFiles)
	say(h.GlobalKnownHostsFiles != nil, "global=%q", h.GlobalKnownHostsFiles)
	say(h.HostKeyAlias != "", "alias=%s", h.HostKeyAlias)
	say(h.Jump != nil, "jump=%v at %s", h.Jump, h.JumpAt)
	return out
}

// TestAsOpenSSH asks ssh -G about the same files: where neither finds a
// mistake, both have to say the same.
func TestAsOpenSSH(t *testing.T) {
	program, err := exec.LookPath("ssh")
	if err != nil {
		t.Skip("OpenSSH's client is not installed")
	}
	account, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"hosts", "match", "include", "jumps"} {
		a := load(t, filepath.Join("testdata", name+".txtar"))
		a.config.LocalUser = account.Username
		for _, q := range a.queries {
			args := []string{"-G", "-F", a.config.User}
			if q.User != "" {
				args = append(args, "-l", q.User)
			}
			if q.Port != 0 {
				args = append(args, "-p", strconv.Itoa(q.Port))
			}
			cmd := exec.Command(program, append(args, q.Host)...)
			cmd.Env = append(os.Environ(), "LC_ALL=C")
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("%s: %v: %v", name, q, err)
			}
			h, err := a.config.Lookup(q)
			if err != nil {
				t.Fatalf("%s: %v: %v", name, q, err)
			}
			for keyword, got := range map[string][]string{
				"hostname":       {h.HostName},
				"user":           {cmp.Or(q.User, h.User, account.Username)},
				"port":           {strconv.Itoa(cmp.Or(q.Port, h.Port, 22))},
				"identityfile":   h.IdentityFiles,
				"identitiesonly": {map[bool]string{true: "yes", false: "no"}[h.IdentitiesOnly]},
			} {
				var want []string
				for line := range strings.Lines(string(out)) {
					key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
					if key == keyword {
						want = append(want, value)
					}
				}
				if keyword == "identityfile" && got == nil {
					continue // ssh then lists its usual ones
				}
				if keyword == "hostname" {
					got[0], want[0] = strings.ToLower(got[0]), strings.ToLower(want[0])
				}
				if !slices.Equal(got, want) {
					t.Errorf("%s, %s: %s is %q, with ssh %q", name, q.Host, keyword, got, want)
				}
			}
			jumps := strings.Contains(string(out), "\nproxyjump ")
			if jumps != (h.Jump != nil) {
				t.Errorf("%s, %s: by way of %v; ssh goes by way of another: %t", name, q.Host, h.Jump, jumps)
			}
		}
	}
}

func TestUnreadable(t *testing.T) {
	dir := t.TempDir()
	c := &Config{User: dir} // a directory
	_, err := c.Lookup(Query{Host: "edge"})
	if err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("got %v", err)
	}
	c = &Config{User: filepath.Join(dir, "none"), System: filepath.Join(dir, "none either")}
	if h, err := c.Lookup(Query{Host: "edge"}); err != nil || h.HostName != "edge" {
		t.Errorf("without files: %+v, %v", h, err)
	}
}

func TestPatterns(t *testing.T) {
	for _, test := range []struct {
		pattern, s string
		want       bool
	}{
		{"", "", true}, {"", "a", false}, {"*", "", true}, {"**", "abc", true},
		{"a", "a", true}, {"a", "ab", false}, {"a?", "a", false}, {"a?", "ab", true},
		{"*.b", "a.b", true}, {"*.b", "a.b.c", false}, {"a*b*c", "aXbYbZc", true}, {"a*b*c", "acb", false},
		{"10.0.0.?", "10.0.0.12", false}, {"[a]", "a", false}, {"[a]", "[a]", true},
	} {
		if got := matchPattern(test.pattern, test.s); got != test.want {
			t.Errorf("%q, %q: %t", test.pattern, test.s, got)
		}
	}
}

// Whatever a file holds, reading it comes to an end without a panic.
func FuzzLookup(f *testing.F) {
	for _, seed := range []string{"Host a\nPort 1", "Match final all\nProxyJump a,b:1", "Match user x exec \"", "HostName %h%", "=\x00\\", "IdentityFile 'a b' #c"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		directives, err := parse("config", s)
		c := &Config{User: "config", Home: "/home/a", LocalUser: "me", parsed: map[string]parsed{"config": {directives, err}}}
		// What is included isn't this test's business.
		if strings.Contains(strings.ToLower(s), "include") {
			t.Skip()
		}
		h, err := c.Lookup(Query{Host: "a"})
		if err == nil && (h.HostName == "" && !strings.Contains(s, "%") && !strings.Contains(s, `"`) && !strings.Contains(s, "'") || h.Port < 0 || h.Port > 65535 || h.ConnectTimeout < 0) {
			t.Errorf("got %+v", h)
		}
	})
}
