//go:build unix

package remote

import (
	"bufio"
	"bytes"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// sshd is a real SSH server on loopback, with one Ed25519 host key.
type sshd struct {
	target  Target
	here    surroundings
	hostKey ssh.PublicKey
	userKey ssh.Signer
}

// writeSigner makes an Ed25519 key, and its file in OpenSSH's format.
func writeSigner(t testing.TB, file string) ssh.Signer {
	t.Helper()
	key := newKey(t)
	block, err := ssh.MarshalPrivateKey(key, "")
	check(t, err)
	check(t, os.MkdirAll(filepath.Dir(file), 0o700))
	check(t, os.WriteFile(file, pem.EncodeToMemory(block), 0o600))
	signer, err := ssh.NewSignerFromKey(key)
	check(t, err)
	return signer
}

// startDaemon runs a server program until the test ends. ready is a word of
// the line of its standard error that says that it listens.
func startDaemon(t testing.TB, ready string, program string, args ...string) {
	t.Helper()
	cmd := exec.Command(program, args...)
	stderr, err := cmd.StderrPipe()
	check(t, err)
	check(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	var said bytes.Buffer
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		fmt.Fprintln(&said, lines.Text())
		if strings.Contains(lines.Text(), ready) {
			go func() {
				for lines.Scan() {
					continue // or it would wait for us at a full pipe
				}
			}()
			return
		}
	}
	t.Fatalf("%s has not started:\n%s", program, said.String())
}

func startSSHD(t testing.TB, options ...string) *sshd {
	t.Helper()
	program, err := exec.LookPath("sshd")
	if err != nil {
		if program, err = exec.LookPath("/usr/sbin/sshd"); err != nil {
			t.Skip("OpenSSH's sshd is not installed")
		}
	}
	if os.Geteuid() == 0 {
		// The directory of its privilege separation, which its package's unit makes.
		check(t, os.MkdirAll("/run/sshd", 0o755))
	}
	dir := t.TempDir()
	hostKey := filepath.Join(dir, "host_key")
	s := &sshd{hostKey: writeSigner(t, hostKey).PublicKey(), userKey: writeSigner(t, filepath.Join(dir, ".ssh", "id_ed25519"))}
	authorized := filepath.Join(dir, "authorized_keys")
	check(t, os.WriteFile(authorized, ssh.MarshalAuthorizedKey(s.userKey.PublicKey()), 0o600))
	account, err := user.Current()
	check(t, err)
	s.target = Target{Host: "127.0.0.1", Port: freePort(t), User: account.Username, Timeout: 20 * time.Second}
	s.here = surroundings{home: dir, user: account.Username}
	entry := knownhosts.Line([]string{s.target.address()}, s.hostKey)
	check(t, os.WriteFile(filepath.Join(dir, ".ssh", "known_hosts"), []byte(entry+"\n"), 0o600))
	// With SHLVL, bash as a login shell leaves ~/.bashrc alone, in which there
	// may be anything.
	config := filepath.Join(dir, "sshd_config")
	check(t, os.WriteFile(config, fmt.Appendf(nil, `
ListenAddress 127.0.0.1:%d
HostKey %s
AuthorizedKeysFile %s
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin prohibit-password
MaxStartups 100
SetEnv SHLVL=9
%s
`, s.target.Port, hostKey, authorized, strings.Join(options, "\n")), 0o600))
	startDaemon(t, "Server listening on", program, "-D", "-e", "-f", config)
	return s
}

func TestOpenSSH(t *testing.T) {
	s := startSSHD(t)
	r := open(s.target, s.here)
	defer func() { check(t, r.Close()) }()
	script := "# it's a test!\nset -e\nprintf '%s\\n' '!\\' \"$#\"\ncat"
	out, err := r.Run(t.Context(), script, []byte("data\x00\xff"))
	check(t, err)
	if want := "!\\\n0\ndata\x00\xff"; string(out) != want {
		t.Errorf("got %q, want %q", out, want)
	}
	out, err = r.Run(t.Context(), "cat", bytes.Repeat([]byte("x"), 5<<20))
	if err != nil || len(out) != 5<<20 {
		t.Errorf("%d bytes, %v", len(out), err)
	}
	if _, err := r.Run(t.Context(), ":", bytes.Repeat([]byte("x"), 5<<20)); err != nil {
		t.Errorf("a script that does not read its input: %v", err)
	}
	_, err = r.Run(t.Context(), "echo no >&2; exit 7", nil)
	var exit *ExitError
	if !errors.As(err, &exit) || exit.Code != 7 || exit.Stderr != "no\n" {
		t.Errorf("got %v", err)
	}
	_, err = r.Run(t.Context(), strings.Repeat("#", 120_000)+"\nexit 8", nil)
	if !errors.As(err, &exit) || exit.Code != 8 {
		t.Errorf("a long script: %v", err)
	}
	stranger := s.here
	stranger.home = t.TempDir()
	check(t, os.CopyFS(stranger.home, os.DirFS(s.here.home)))
	writeSigner(t, filepath.Join(stranger.home, ".ssh", "id_ed25519"))
	_, err = open(s.target, stranger).Run(t.Context(), ":", nil)
	wantUnreachable[*AuthError](t, err)
}

// One sshd behind another, with everything said in ssh_config: ssh itself gets
// there by the same file.
func TestOpenSSHByJump(t *testing.T) {
	jump, gateway := startSSHD(t), startSSHD(t)
	home := jump.here.home
	config := filepath.Join(home, ".ssh", "config")
	check(t, os.WriteFile(config, fmt.Appendf(nil, `
Host edge
  HostName 127.0.0.1
  Port %d
  IdentityFile %s/.ssh/id_ed25519
  UserKnownHostsFile %[2]s/.ssh/known_hosts
  ProxyJump bastion
Host bastion
  HostName 127.0.0.1
  Port %[3]d
  IdentityFile %[4]s/.ssh/id_ed25519
  UserKnownHostsFile %[4]s/.ssh/known_hosts
Host *
  IdentitiesOnly yes
`, gateway.target.Port, gateway.here.home, jump.target.Port, home), 0o600))
	r := open(Target{Host: "edge", Timeout: 20 * time.Second}, jump.here)
	defer func() { check(t, r.Close()) }()
	for range 2 {
		out, err := r.Run(t.Context(), `echo "$SSH_CONNECTION"`, nil)
		check(t, err)
		if fields := strings.Fields(string(out)); len(fields) != 4 || fields[3] != fmt.Sprint(gateway.target.Port) {
			t.Errorf("got %q, want the port %d", out, gateway.target.Port)
		}
		r.Hangup()
	}

	if program, err := exec.LookPath("ssh"); err == nil {
		if out, err := exec.Command(program, "-F", config, "-o", "BatchMode=yes", "edge", "echo hello").CombinedOutput(); err != nil || string(out) != "hello\n" {
			t.Errorf("ssh: %q, %v", out, err)
		}
	}
}

// A jump host that may forward nothing says so in OpenSSH's words.
func TestOpenSSHThatForwardsNothing(t *testing.T) {
	jump, gateway := startSSHD(t, "AllowTcpForwarding no"), startSSHD(t)
	target := gateway.target
	target.Jump = &jump.target
	r := open(target, jump.here)
	defer func() { check(t, r.Close()) }()
	_, err := r.Run(t.Context(), ":", nil)
	wantUnreachable[*ssh.OpenChannelError](t, err)
	says(t, err, "forwards no connections", "AllowTcpForwarding yes")
}

// Nobody listens behind the jump host: asked once more, then told.
func TestOpenSSHWithNothingBehind(t *testing.T) {
	jump := startSSHD(t)
	r := open(Target{Host: "127.0.0.1", Port: freePort(t), Jump: &jump.target, Timeout: 20 * time.Second}, jump.here)
	defer func() { check(t, r.Close()) }()
	_, err := r.Run(t.Context(), ":", nil)
	if forward := unreachable[*ssh.OpenChannelError](t, err); !isRefusal(forward) {
		t.Errorf("not taken for a refusal: %+v", forward)
	}
}

// Dropbear with only an Ed25519 key ends the connection when it is asked for a
// type that it hasn't. That it gets as far as the keys is enough here.
func TestDropbear(t *testing.T) {
	program, err := exec.LookPath("dropbear")
	if err != nil {
		t.Skip("Dropbear is not installed")
	}
	dir := t.TempDir()
	keyFile := filepath.Join(dir, "host_key")
	out, err := exec.Command("dropbearkey", "-t", "ed25519", "-f", keyFile).Output()
	if err != nil {
		t.Skip("dropbearkey is not installed")
	}
	var line string
	for l := range strings.Lines(string(out)) {
		if strings.HasPrefix(l, "ssh-ed25519 ") {
			line = l
		}
	}
	target := Target{Host: "127.0.0.1", Port: freePort(t), User: "btplan-nobody", Timeout: 20 * time.Second}
	here := surroundings{home: dir}
	writeSigner(t, filepath.Join(dir, ".ssh", "id_ed25519"))
	startDaemon(t, "Not backgrounding", program, "-F", "-E", "-s", "-r", keyFile, "-P", filepath.Join(dir, "pid"), "-p", fmt.Sprintf("127.0.0.1:%d", target.Port))

	_, err = open(target, here).Run(t.Context(), ":", nil)
	wantUnreachable[*UnknownHostError](t, err)

	check(t, os.WriteFile(filepath.Join(dir, ".ssh", "known_hosts"), []byte(knownhosts.Normalize(target.address())+" "+line), 0o600))
	_, err = open(target, here).Run(t.Context(), ":", nil)
	wantUnreachable[*AuthError](t, err)
}

// BenchmarkDialAndExec measures a first Run against the least that x/crypto/ssh
// takes for the same: a dial and an exec. They take turns, so that both see the
// same machine. The metrics are medians; ratio is Run's over the other's.
func BenchmarkDialAndExec(b *testing.B) {
	s := startSSHD(b)
	bare := func() {
		client, err := ssh.Dial("tcp", s.target.address(), &ssh.ClientConfig{
			User:              s.target.User,
			Auth:              []ssh.AuthMethod{ssh.PublicKeys(s.userKey)},
			HostKeyCallback:   ssh.FixedHostKey(s.hostKey),
			HostKeyAlgorithms: []string{ssh.KeyAlgoED25519},
		})
		check(b, err)
		session, err := client.NewSession()
		check(b, err)
		_, err = session.Output("echo done")
		check(b, err)
		check(b, client.Close())
	}
	ours := func() {
		r := open(s.target, s.here)
		_, err := r.Run(b.Context(), "echo done", nil)
		check(b, err)
		check(b, r.Close())
	}
	var times [2][]time.Duration
	for b.Loop() {
		for i, run := range []func(){bare, ours} {
			start := time.Now()
			run()
			times[i] = append(times[i], time.Since(start))
		}
	}
	bareTime, oursTime := median(times[0]), median(times[1])
	b.ReportMetric(float64(bareTime.Microseconds())/1000, "bare-ms")
	b.ReportMetric(float64(oursTime.Microseconds())/1000, "run-ms")
	b.ReportMetric(float64(oursTime)/float64(bareTime), "ratio")
}

// BenchmarkExec is a Run over a connection that is there already.
func BenchmarkExec(b *testing.B) {
	s := startSSHD(b)
	r := open(s.target, s.here)
	defer func() { check(b, r.Close()) }()
	_, err := r.Run(b.Context(), ":", nil)
	check(b, err)
	for b.Loop() {
		_, err := r.Run(b.Context(), "echo done", nil)
		check(b, err)
	}
}

func median(times []time.Duration) time.Duration {
	return slices.Sorted(slices.Values(times))[len(times)/2]
}
