package remote

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/crypto/ssh"
)

var update = flag.Bool("update", false, "write the golden files anew")

// The messages as people read them.
func TestMessages(t *testing.T) {
	edge := Target{Host: "192.168.1.1", Port: 22, User: "root"}
	six := Target{Host: "fd00::1", Port: 2222, User: "admin", KnownHostsFile: "/etc/my hosts"}
	shown := HostKey{Type: "ssh-ed25519", Fingerprint: "SHA256:shown"}
	known := HostKey{Type: "ssh-rsa", Fingerprint: "SHA256:known", File: "/home/a/.ssh/known_hosts", Line: 7}
	bastion := Target{Host: "bastion.example", Port: 22, User: "me"}
	inner := Target{Host: "10.0.0.1", Port: 22, User: "root", HostKeyAlias: "inner", Jump: &Target{Host: "10.0.0.2", Port: 2222, User: "me", Jump: &bastion}}
	route := &route{Target: inner, via: &route{Target: *inner.Jump}}
	errs := []error{
		&ExitError{Target: edge, Code: 1, Stderr: "\n  nft: \x1b[31msyntax error\u202e\nline 2"},
		&ExitError{Target: Target{Local: true}, Code: 137, Signal: "KILL"},
		&InterruptedError{Target: edge, Err: errFlood},
		&InterruptedError{Target: edge, Err: context.DeadlineExceeded},
		&InterruptedError{Target: edge, Err: fmt.Errorf("killed: %w", context.Canceled)},
		&UnreachableError{Target: six, Err: errClosed},
		&SudoError{User: "admin", Stderr: "sudo: a password is required\n"},
		&SudoError{User: "admin", Missing: true, Stderr: "sh: sudo: not found\n"},
		&UnknownHostError{Target: edge, Shown: shown, Files: []string{"/home/a/.ssh/known_hosts", "/etc/ssh/ssh_known_hosts"}},
		&UnknownHostError{Target: six, Shown: HostKey{Type: "ecdsa-sha2-nistp256", Fingerprint: "SHA256:shown"}, Files: []string{"/etc/my hosts"}, Authorities: []HostKey{known}},
		&ChangedKeyError{Target: edge, Shown: shown, Known: []HostKey{known}},
		&ChangedKeyError{Target: six, Shown: shown, Known: []HostKey{known, known}},
		&RevokedKeyError{Target: edge, Shown: known},
		&AuthError{Target: edge, Tried: []string{"/home/a/.ssh/id_ed25519 (ssh-ed25519 SHA256:a)"}, Skipped: []string{"there is no SSH agent (SSH_AUTH_SOCK is not set)"}},
		&AuthError{Target: edge, Err: errors.New("ssh: disconnect")},
		&IdentityError{File: "/home/a/my key", Err: &ssh.PassphraseMissingError{}},
		&IdentityError{File: "/home/a/key", Err: fs.ErrNotExist},
		&IdentityError{File: "/home/a/key", Err: fs.ErrPermission},
		&IdentityError{File: "/home/a/key.pub", Err: errPublic},
		&IdentityError{File: "/home/a/key", Err: errors.New("ssh: no key found")},
		&UnknownHostError{Target: inner, Shown: shown, Files: []string{"/home/a/.ssh/known_hosts"}},
		&ChangedKeyError{Target: inner, Shown: shown, Known: []HostKey{known}},
		&InterruptedError{Target: edge, Err: &silentError{edge, 45 * time.Second}},
		route.dialError(t.Context(), t.Context(), &net.OpError{Op: "dial", Net: "tcp", Err: os.ErrDeadlineExceeded}),
		route.dialError(t.Context(), t.Context(), &ssh.OpenChannelError{Reason: ssh.Prohibited, Message: "open failed"}),
		route.dialError(t.Context(), t.Context(), &ssh.OpenChannelError{Reason: ssh.ConnectionFailed, Message: "No route to host"}),
	}
	var got strings.Builder
	for _, err := range errs {
		fmt.Fprintf(&got, "%T\n%s\n\n", err, err)
	}
	const file = "testdata/messages.txt"
	if *update {
		check(t, os.WriteFile(file, []byte(got.String()), 0o600))
	}
	want, err := os.ReadFile(file)
	check(t, err)
	if got.String() != string(want) {
		t.Errorf("the messages differ from %s (-update writes it anew):\n%s", file, got.String())
	}
}

func TestTargetString(t *testing.T) {
	for _, test := range []struct {
		target Target
		want   string
	}{
		{Target{Local: true, Host: "x"}, "this computer"},
		{Target{Host: "192.168.1.1"}, "192.168.1.1:22"},
		{Target{Host: "fd00::1", Port: 2222, User: "root"}, "root@[fd00::1]:2222"},
	} {
		if got := test.target.String(); got != test.want {
			t.Errorf("got %s, want %s", got, test.want)
		}
	}
}

func TestBounded(t *testing.T) {
	for name, put := range map[string]func(*bounded, string) (int64, error){
		"Write": func(b *bounded, s string) (int64, error) {
			n, err := b.Write([]byte(s))
			return int64(n), err
		},
		"ReadFrom": func(b *bounded, s string) (int64, error) {
			return b.ReadFrom(struct{ io.Reader }{strings.NewReader(s)})
		},
	} {
		floods := 0
		b := bounded{limit: 5, flooded: func() { floods++ }}
		for _, s := range []string{"", "abc", "de", "f", strings.Repeat("gh", 10_000)} {
			if n, err := put(&b, s); n != int64(len(s)) || err != nil {
				t.Errorf("%s %.9q: %d, %v", name, s, n, err)
			}
		}
		if string(b.kept) != "abcde" || b.left != 20_001 || floods != 1 || b.String() != "abcde\n[20001 more bytes left out]\n" {
			t.Errorf("%s: got %+v, %d floods", name, b, floods)
		}
	}
}

// Nothing that a device prints reaches a terminal as a control sequence.
func FuzzFirstLine(f *testing.F) {
	for _, seed := range []string{"", "plain", "\x1b[2J\nnext", "\r\n\u202eevil", "\xff\x00\u009b", strings.Repeat("é", 1000)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		line := firstLine(s)
		if !utf8.ValidString(line) || strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("%q becomes %q", s, line)
		}
		// An escape is at most as long as \U0010ffff.
		if n := utf8.RuneCountInString(line); n > 10*maxLine+1 {
			t.Errorf("%d characters", n)
		}
		if line == "" && strings.ContainsFunc(s, unicode.IsLetter) {
			t.Errorf("nothing of %q", s)
		}
	})
}
