package memory

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
	"github.com/gofrs/flock"
)

var _ providers.Memory = (*Notes)(nil)

var (
	home  = plan.Addr{Block: plan.BlockGateway, Name: "home"}
	attic = plan.Addr{Block: plan.BlockGateway, Name: "attic", Key: plan.TextKey("a b")}
)

// note is what a device of the tests remembers.
type note struct {
	UDN       string
	Permanent bool
	Nonces    map[string]string
}

// load gives what is remembered of a device by a run that begins now.
func load(t *testing.T, dir string, device plan.Addr, warnings ...string) note {
	t.Helper()
	m := New(dir)
	var got note
	err := m.Of(device).Load(&got)
	if (err != nil) != (len(warnings) > 0) {
		t.Errorf("Load: %v; want warnings %q", err, warnings)
	}
	wantWarnings(t, m, warnings...)
	return got
}

// wantWarnings wants one warning for each text, which it holds.
func wantWarnings(t *testing.T, m *Memory, texts ...string) {
	t.Helper()
	got := m.Warnings()
	if len(got) != len(texts) {
		t.Errorf("the warnings are %q; want some with %q", got, texts)
		return
	}
	for i, text := range texts {
		if !strings.Contains(got[i], text) {
			t.Errorf("the warning is %q; want one with %q", got[i], text)
		}
	}
}

func store(t *testing.T, dir string, device plan.Addr, v any) {
	t.Helper()
	m := New(dir)
	if err := m.Of(device).Store(v); err != nil {
		t.Fatal(err)
	}
	wantWarnings(t, m)
}

// write puts a file into the memory's directory as somebody else would.
func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, ".btplan", name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func read(t *testing.T, dir, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, ".btplan", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestStoreAndLoad(t *testing.T) {
	dir := t.TempDir()
	if got := load(t, dir, home); got.UDN != "" {
		t.Errorf("without a file, %+v is remembered", got)
	}
	if _, err := os.Stat(filepath.Join(dir, ".btplan")); !os.IsNotExist(err) {
		t.Errorf("to look has made a directory: %v", err)
	}
	store(t, dir, home, note{UDN: "uuid:1", Nonces: map[string]string{"tcp 6881": "00ff"}})
	store(t, dir, attic, note{Permanent: true})
	store(t, dir, home, note{UDN: "uuid:2"})
	if got := load(t, dir, home); got.UDN != "uuid:2" || got.Nonces != nil {
		t.Errorf("home: %+v", got)
	}
	if got := load(t, dir, attic); !got.Permanent {
		t.Errorf("attic: %+v", got)
	}
	const want = `{
  "format": 1,
  "devices": {
    "gateway.attic[\"a b\"]": {
      "UDN": "",
      "Permanent": true,
      "Nonces": null
    },
    "gateway.home": {
      "UDN": "uuid:2",
      "Permanent": false,
      "Nonces": null
    }
  }
}
`
	if got := read(t, dir, "memory.json"); got != want {
		t.Errorf("the file holds\n%s\nwant\n%s", got, want)
	}
	if got := read(t, dir, ".gitignore"); got != "*\n" {
		t.Errorf("git ignores %q", got)
	}
}

func TestPrivate(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such modes")
	}
	dir := t.TempDir()
	store(t, dir, home, note{UDN: "uuid:1"})
	for name, want := range map[string]os.FileMode{"": 0o700, "memory.json": 0o600, "lock": 0o600} {
		info, err := os.Stat(filepath.Join(dir, ".btplan", name))
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has the mode %o, not %o", name, got, want)
		}
	}
}

// What is the same is not written again, whether the run has looked before or
// not.
func TestSameIsNotWritten(t *testing.T) {
	dir := t.TempDir()
	store(t, dir, home, note{UDN: "uuid:1"})
	path := filepath.Join(dir, ".btplan", "memory.json")
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	store(t, dir, home, note{UDN: "uuid:1"})
	m := New(dir)
	var got note
	if err := m.Of(home).Load(&got); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, ".btplan", "lock")); err != nil {
		t.Fatal(err)
	}
	if err := m.Of(home).Store(got); err != nil {
		t.Fatal(err)
	}
	after, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if !os.SameFile(before, after) {
		t.Error("the file was written again")
	}
	if _, err := os.Stat(filepath.Join(dir, ".btplan", "lock")); !os.IsNotExist(err) {
		t.Errorf("the lock was taken to write nothing: %v", err)
	}
}

// A file that can't be understood is a warning. What is stored then goes to a
// new file, and the old one is kept.
func TestDamaged(t *testing.T) {
	for _, text := range []string{"", "{", `{"format": 1, "devices": []}`, `{"format":1}{`, "\x00\xff"} {
		dir := t.TempDir()
		write(t, dir, "memory.json", text)
		if got := load(t, dir, home, "memory.json is damaged"); got.UDN != "" {
			t.Errorf("%q: %+v is remembered", text, got)
		}
		if got := read(t, dir, "memory.json"); got != text {
			t.Errorf("%q: to look has made it %q", text, got)
		}
		m := New(dir)
		if err := m.Of(home).Store(note{UDN: "uuid:1"}); err != nil {
			t.Fatal(err)
		}
		wantWarnings(t, m, "memory.json is damaged")
		if got := read(t, dir, "memory.json.damaged"); got != text {
			t.Errorf("%q is kept as %q", text, got)
		}
		if got := load(t, dir, home); got.UDN != "uuid:1" {
			t.Errorf("%q: %+v is remembered afterwards", text, got)
		}
	}
}

// One device's note that isn't what the device expects is a warning for that
// device, and leaves nothing of itself behind.
func TestUnexpectedNote(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "memory.json", `{"format": 1, "devices": {"gateway.home": {"UDN": "uuid:1", "Permanent": "yes"}, "gateway.attic[\"a b\"]": {"UDN": "uuid:2"}}}`)
	if got := load(t, dir, home, "of gateway.home can't be read"); got.UDN != "" {
		t.Errorf("%+v is remembered", got)
	}
	if got := load(t, dir, attic); got.UDN != "uuid:2" {
		t.Errorf("%+v is remembered", got)
	}
}

// What a later btplan wrote is not overwritten.
func TestLaterFormat(t *testing.T) {
	dir := t.TempDir()
	const text = `{"format": 2, "devices": {}}`
	write(t, dir, "memory.json", text)
	m := New(dir)
	var got note
	if err := m.Of(home).Load(&got); err == nil {
		t.Error("it was read")
	}
	if err := m.Of(home).Store(note{UDN: "uuid:1"}); err == nil {
		t.Error("it was written")
	}
	wantWarnings(t, m, "is of format 2, and this btplan knows format 1")
	if got := read(t, dir, "memory.json"); got != text {
		t.Errorf("the file holds %q", got)
	}
}

// A file that can't be read or written is a warning, told once.
func TestOutOfReach(t *testing.T) {
	for name, prepare := range map[string]func(t *testing.T, dir string) string{
		"a directory in its place": func(t *testing.T, dir string) string {
			write(t, dir, "memory.json/x", "")
			return "memory.json is not a regular file"
		},
		"a file in the directory's place": func(t *testing.T, dir string) string {
			if err := os.WriteFile(filepath.Join(dir, ".btplan"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			return "not a directory"
		},
		"too large": func(t *testing.T, dir string) string {
			path := write(t, dir, "memory.json", "")
			if err := os.Truncate(path, maxFile+1); err != nil {
				t.Fatal(err)
			}
			return "larger than 16 MiB"
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			want := prepare(t, dir)
			m := New(dir)
			var got note
			if err := m.Of(home).Load(&got); err == nil {
				t.Error("it was read")
			}
			wantWarnings(t, m, want)
			if err := m.Of(home).Store(note{UDN: "uuid:1"}); err == nil {
				t.Error("it was written")
			}
			if err := m.Of(attic).Store(note{UDN: "uuid:1"}); err == nil {
				t.Error("it was written for the other")
			}
			// What was told isn't told again; that it can't be written may be new.
			if got := m.Warnings(); len(got) > 1 || len(got) == 1 && !strings.Contains(got[0], "can't be written") {
				t.Errorf("the warnings are %q", got)
			}
		})
	}
}

// A run sees what another has noted since it looked last.
func TestLoadAgain(t *testing.T) {
	dir := t.TempDir()
	m := New(dir)
	for _, udn := range []string{"", "uuid:1", "uuid:2"} {
		if udn != "" {
			store(t, dir, home, note{UDN: udn})
		}
		var got note
		if err := m.Of(home).Load(&got); err != nil || got.UDN != udn {
			t.Errorf("it remembers %q, %v; want %q", got.UDN, err, udn)
		}
	}
}

// A lock that nobody lets go is waited for once, and not for long.
func TestLockHeld(t *testing.T) {
	dir := t.TempDir()
	held := flock.New(write(t, dir, "lock", ""))
	if err := held.Lock(); err != nil {
		t.Fatal(err)
	}
	m := New(dir)
	m.patience = 50 * time.Millisecond
	if err := m.Of(home).Store(note{UDN: "uuid:1"}); err == nil {
		t.Error("it was written without the lock")
	}
	wantWarnings(t, m, "for more than 50ms")
	if err := held.Close(); err != nil {
		t.Fatal(err)
	}
	if err := m.Of(attic).Store(note{UDN: "uuid:1"}); err == nil {
		t.Error("this run asked for the lock again")
	}
	store(t, dir, home, note{UDN: "uuid:1"})
}

// Of many that write at once, in this process and as if in others, each finds
// its own note afterwards, and no reader ever sees a part of a file.
func TestConcurrentWriters(t *testing.T) {
	dir := t.TempDir()
	const processes, devices, rounds = 4, 5, 6
	device := func(p, d int) plan.Addr {
		return plan.Addr{Block: plan.BlockGateway, Name: "g", Key: plan.NumKey(p*devices + d)}
	}
	stop := make(chan struct{})
	var writing, reading sync.WaitGroup
	reading.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			data, err := os.ReadFile(filepath.Join(dir, ".btplan", "memory.json"))
			if err == nil && !json.Valid(data) {
				t.Errorf("a reader sees %q", data)
				return
			}
		}
	})
	for p := range processes {
		m := New(dir) // has a lock file of its own open, as another process has
		m.patience = time.Minute
		for d := range devices {
			writing.Go(func() {
				for round := range rounds {
					if err := m.Of(device(p, d)).Store(note{UDN: fmt.Sprintf("%d/%d/%d", p, d, round)}); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	writing.Wait()
	close(stop)
	reading.Wait()
	for p := range processes {
		for d := range devices {
			want := fmt.Sprintf("%d/%d/%d", p, d, rounds-1)
			if got := load(t, dir, device(p, d)); got.UDN != want {
				t.Errorf("%s: %q is remembered, not %q", device(p, d), got.UDN, want)
			}
		}
	}
}
