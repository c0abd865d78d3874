package igd

import (
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/btplan/btplan/internal/plain"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// golden runs a test on each archive of a directory. The test gives what its
// file "want" should hold.
func golden(t *testing.T, dir string, test func(in map[string][]byte) string) {
	paths, err := filepath.Glob(filepath.Join("testdata", dir, "*.txtar"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no files in %s: %v", dir, err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			in := map[string][]byte{}
			for _, f := range archive.Files {
				in[f.Name] = f.Data
			}
			got := test(in)
			if *update {
				archive.Files[len(archive.Files)-1] = txtar.File{Name: "want", Data: []byte(got)}
				if err := os.WriteFile(path, txtar.Format(archive), 0o600); err != nil {
					t.Fatal(err)
				}
			} else if got != string(in["want"]) {
				t.Errorf("got:\n%s\nwant:\n%s", got, in["want"])
			}
		})
	}
}

var (
	homeRouter = origin{addr: netip.MustParseAddr("192.168.1.1")}
	homeTarget = target{netip.MustParseAddrPort("192.168.1.1:5000"), "/desc.xml"}
)

func TestDescriptions(t *testing.T) {
	golden(t, "descriptions", func(in map[string][]byte) string {
		r, err := parseDescription(in["description.xml"], homeRouter, homeTarget)
		if err != nil {
			return "error: " + err.Error() + "\n"
		}
		var b strings.Builder
		fmt.Fprintf(&b, "%s %s\nmade by %q: %q %q, called %s\n", r.UDN, r.Addr, r.Manufacturer, r.ModelName, r.ModelNumber, plain.Line(r.FriendlyName))
		for _, s := range r.Services {
			fmt.Fprintf(&b, "%s %q %s\n", s.Type, s.ID, s.ControlURL)
		}
		return b.String()
	})
}

func TestAnswers(t *testing.T) {
	golden(t, "answers", func(in map[string][]byte) string {
		status := strings.TrimSpace(string(in["status"]))
		code, err := strconv.Atoi(status[:3])
		if err != nil {
			return err.Error()
		}
		result, err := parseAnswer("Ask", answer{code, status, in["answer.xml"]})
		var m Mapping
		if err == nil {
			m, err = parseEntry(result.values())
		}
		if err != nil {
			return fmt.Sprintf("error: %s\n%#v\n", err, asFault(err))
		}
		return fmt.Sprintf("%s %d to %s (%q) %d, remote host %q, enabled %t, lease %s\n%s\n",
			m.Protocol, m.External, m.Client, m.ClientName, m.Internal, m.RemoteHost, m.Enabled, m.Lease, plain.Line(m.Description))
	})
}

// asFault is the fault in err, for printing.
func asFault(err error) Fault {
	var f *Fault
	if errors.As(err, &f) {
		return *f
	}
	return Fault{}
}
