package remote

import (
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

func TestUnknownHost(t *testing.T) {
	s := newServer(t).start()
	key := s.hostKeys[0].PublicKey()
	files := map[string]func() []string{
		"empty":   func() []string { return []string{s.know()} },
		"missing": func() []string { f := s.know(); check(t, os.Remove(f)); return []string{f} },
		"another host": func() []string {
			return []string{s.know(knownhosts.Line([]string{"192.0.2.1"}, newEd25519(t).PublicKey()))}
		},
		"another port": func() []string { return []string{s.know(knownhosts.Line([]string{"127.0.0.1:1"}, key))} },
	}
	for name, write := range files {
		t.Run(name, func(t *testing.T) {
			file := write()[0]
			_, err := s.runner().Run(t.Context(), ":", nil)
			unknown := unreachable[*UnknownHostError](t, err)
			if unknown.Entry != s.entry(key) {
				t.Errorf("entry %q, want %q", unknown.Entry, s.entry(key))
			}
			says(t, err, "ssh-ed25519 "+ssh.FingerprintSHA256(key), file, s.here.knownHosts,
				"ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub", fmt.Sprintf("`ssh -p %d tester@127.0.0.1`", s.port))
		})
	}

	t.Run("a file of its own", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "my hosts")
		_, err := s.runner(func(target *Target) { target.KnownHostsFile = file }).Run(t.Context(), ":", nil)
		unknown := unreachable[*UnknownHostError](t, err)
		says(t, err, fmt.Sprintf("`ssh -o 'UserKnownHostsFile=\"%s\"' -p %d", file, s.port))
		// The entry that the error gives is the one that is missing.
		check(t, os.WriteFile(file, []byte(unknown.Entry+"\n"), 0o600))
		_, err = s.runner(func(target *Target) { target.KnownHostsFile = file }).Run(t.Context(), ":", nil)
		check(t, err)
	})
}

func TestKnownHost(t *testing.T) {
	s := newServer(t).start()
	key := s.hostKeys[0].PublicKey()
	other := newEd25519(t).PublicKey()
	address := s.target().address()
	tests := map[string][]string{
		"its port":                 {knownhosts.Line([]string{address}, key)},
		"hashed":                   {knownhosts.HashHostname(knownhosts.Normalize(address)) + " " + strings.SplitN(knownhosts.Line([]string{address}, key), " ", 2)[1]},
		"no port":                  {knownhosts.Line([]string{"127.0.0.1"}, key)},
		"a pattern":                {knownhosts.Line([]string{"127.0.0.*"}, key)},
		"one of two keys":          {s.entry(other), s.entry(key)},
		"another key without port": {knownhosts.Line([]string{"127.0.0.1"}, other), s.entry(key)},
	}
	for name, lines := range tests {
		t.Run(name, func(t *testing.T) {
			s.know(append([]string{"# a comment", ""}, lines...)...)
			_, err := s.runner().Run(t.Context(), ":", nil)
			check(t, err)
		})
	}
	t.Run("the computer's file", func(t *testing.T) {
		s.know()
		check(t, os.WriteFile(s.here.knownHosts, []byte(s.entry(key)+"\n"), 0o600))
		_, err := s.runner().Run(t.Context(), ":", nil)
		check(t, err)
	})
	t.Run("~", func(t *testing.T) {
		s.know(s.entry(key))
		_, err := s.runner(func(target *Target) { target.KnownHostsFile = "~/.ssh/known_hosts" }).Run(t.Context(), ":", nil)
		check(t, err)
	})
}

func TestHostInUpperCase(t *testing.T) {
	home := t.TempDir()
	key := newEd25519(t).PublicKey()
	file := filepath.Join(home, "hosts")
	check(t, os.WriteFile(file, []byte(knownhosts.Line([]string{"edge.example"}, key)), 0o600))
	known, err := newTestPool(t, surroundings{}).knownHosts(routeTo(t, Target{Host: "Edge.Example", KnownHostsFile: file}, surroundings{home: home}))
	check(t, err)
	check(t, known.check(&net.TCPAddr{}, key))
}

func TestChangedKey(t *testing.T) {
	s := newServer(t).start()
	// No key that the files hold is of the type that the server has: that is a change too.
	for name, other := range map[string]ssh.Signer{"same type": newEd25519(t), "another type": newECDSA(t)} {
		t.Run(name, func(t *testing.T) {
			file := s.know("# one", s.entry(other.PublicKey()))
			_, err := s.runner().Run(t.Context(), "touch "+Quote(file+".touched"), nil)
			changed := unreachable[*ChangedKeyError](t, err)
			if len(changed.Known) != 1 || changed.Known[0].Line != 2 || changed.Known[0].File != file {
				t.Errorf("got %+v", changed.Known)
			}
			says(t, err, "has changed", "Someone may be in between",
				"it showed ssh-ed25519 "+ssh.FingerprintSHA256(s.hostKeys[0].PublicKey()),
				fmt.Sprintf("known is %s %s (%s:2)", other.PublicKey().Type(), ssh.FingerprintSHA256(other.PublicKey()), file),
				fmt.Sprintf("`ssh-keygen -R '[127.0.0.1]:%d' -f %s`", s.port, file))
			if _, err := os.Stat(file + ".touched"); err == nil {
				t.Error("the script was run all the same")
			}
		})
	}
}

func TestRevokedKey(t *testing.T) {
	s := newServer(t).start()
	entry := s.entry(s.hostKeys[0].PublicKey())
	file := s.know(entry, "@revoked "+entry)
	_, err := s.runner().Run(t.Context(), ":", nil)
	wantUnreachable[*RevokedKeyError](t, err)
	says(t, err, "is revoked", file+":2")
}

func TestUnreadableKnownHosts(t *testing.T) {
	s := newServer(t).start()
	file := s.know("# one", "127.0.0.1 ssh-ed25519 \x1b[31m!")
	_, err := s.runner().Run(t.Context(), ":", nil)
	wantUnreachable[error](t, err)
	says(t, err, file+":2", "correct or remove that line")

	_, err = s.runner(func(target *Target) { target.KnownHostsFile = t.TempDir() }).Run(t.Context(), ":", nil)
	wantUnreachable[error](t, err)
	says(t, err, "is a directory")
	if s.conns.Load() > 0 {
		t.Error("a connection was made for nothing")
	}
}

func TestHostCertificates(t *testing.T) {
	authority := newEd25519(t)
	certificate := func(by ssh.Signer, principal string) ssh.Signer {
		plain := newECDSA(t)
		cert := &ssh.Certificate{Key: plain.PublicKey(), CertType: ssh.HostCert, ValidPrincipals: []string{principal}, ValidBefore: ssh.CertTimeInfinity}
		check(t, cert.SignCert(rand.Reader, by))
		signer, err := ssh.NewCertSigner(cert, plain)
		check(t, err)
		return signer
	}
	marked := func(s *server) string {
		return "@cert-authority " + s.entry(authority.PublicKey())
	}
	t.Run("good", func(t *testing.T) {
		s := newServer(t)
		s.hostKeys = []ssh.Signer{newEd25519(t), certificate(authority, "127.0.0.1")}
		s.start().know(marked(s))
		_, err := s.runner().Run(t.Context(), ":", nil)
		check(t, err)
	})
	t.Run("for another host", func(t *testing.T) {
		s := newServer(t)
		s.hostKeys = []ssh.Signer{certificate(authority, "192.0.2.1")}
		s.start().know(marked(s))
		_, err := s.runner().Run(t.Context(), ":", nil)
		wantUnreachable[error](t, err)
		says(t, err, ": the certificate of 127.0.0.1", "principal")
	})
	t.Run("by another authority", func(t *testing.T) {
		s := newServer(t)
		s.hostKeys = []ssh.Signer{certificate(newEd25519(t), "127.0.0.1")}
		s.start().know(marked(s))
		_, err := s.runner().Run(t.Context(), ":", nil)
		wantUnreachable[error](t, err)
		says(t, err, ": the certificate of 127.0.0.1", "no authorities")
	})
	t.Run("none", func(t *testing.T) {
		s := newServer(t)
		file := s.start().know(marked(s))
		_, err := s.runner().Run(t.Context(), ":", nil)
		unknown := unreachable[*UnknownHostError](t, err)
		if len(unknown.Authorities) != 1 {
			t.Errorf("authorities: %v", unknown.Authorities)
		}
		says(t, err, "A certificate of ssh-ed25519", file+":1) would do")
	})
}

// What is asked of a server begins with what the files hold, and its server
// answers with that.
func TestAlgorithms(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	check(t, err)
	rsaSigner, err := ssh.NewSignerFromKey(rsaKey)
	check(t, err)
	keys := map[string]ssh.Signer{"ed25519": newEd25519(t), "ecdsa": newECDSA(t), "rsa": rsaSigner}
	tests := []struct {
		known []string
		mark  string
		first []string
	}{
		{nil, "", []string{ssh.KeyAlgoED25519}},
		{[]string{"ed25519"}, "", []string{ssh.KeyAlgoED25519}},
		{[]string{"ecdsa"}, "", []string{ssh.KeyAlgoECDSA256, ssh.KeyAlgoED25519}},
		{[]string{"rsa"}, "", []string{ssh.KeyAlgoRSASHA256, ssh.KeyAlgoRSASHA512, ssh.KeyAlgoED25519}},
		{[]string{"rsa", "ecdsa"}, "", []string{ssh.KeyAlgoRSASHA256, ssh.KeyAlgoRSASHA512, ssh.KeyAlgoECDSA256, ssh.KeyAlgoED25519}},
		{[]string{"ed25519"}, "@cert-authority ", []string{ssh.CertAlgoRSASHA256v01}},
	}
	for _, test := range tests {
		t.Run(test.mark+strings.Join(test.known, "+"), func(t *testing.T) {
			s := newServer(t)
			s.hostKeys = []ssh.Signer{keys["rsa"], keys["ecdsa"], keys["ed25519"]}
			s.start()
			var lines []string
			for _, name := range test.known {
				lines = append(lines, test.mark+s.entry(keys[name].PublicKey()))
			}
			s.know(lines...)
			known, err := newTestPool(t, s.here).knownHosts(routeTo(t, s.target(), s.here))
			check(t, err)
			got := known.algorithms()
			if !slices.Equal(got[:len(test.first)], test.first) {
				t.Errorf("got %v, want first %v", got, test.first)
			}
			if slices.ContainsFunc(got, isCert) != (test.mark != "") {
				t.Errorf("certificates are asked for only where an authority is known: %v", got)
			}
			if slices.Contains(got, ssh.KeyAlgoRSA) || slices.Contains(got, "ssh-dss") {
				t.Errorf("%v has algorithms that are not safe", got)
			}
			if test.mark == "" && len(test.known) > 0 {
				_, err := s.runner().Run(t.Context(), ":", nil)
				check(t, err)
			}
		})
	}
}
