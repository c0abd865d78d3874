package view

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/tools/txtar"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// golden runs a test on each archive of testdata that matches. The test gives
// for some of its files what they should hold.
func golden(t *testing.T, pattern string, test func(t *testing.T, in map[string]string) (want []txtar.File)) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", pattern))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no files match %s: %v", pattern, err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			raw, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			archive := txtar.Parse(raw)
			in := map[string]string{}
			for _, f := range archive.Files {
				in[f.Name] = string(f.Data)
			}
			for _, got := range test(t, in) {
				compare(t, archive, got)
			}
			if *update {
				if err := os.WriteFile(path, txtar.Format(archive), 0o600); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// compare checks one file of an archive, or puts it there with -update.
func compare(t *testing.T, archive *txtar.Archive, got txtar.File) {
	t.Helper()
	for i, f := range archive.Files {
		if f.Name != got.Name {
			continue
		}
		if *update {
			archive.Files[i].Data = got.Data
		} else if !bytes.Equal(f.Data, got.Data) {
			t.Errorf("%s is not as expected.\ngot:\n%s\nwant:\n%s", f.Name, got.Data, f.Data)
		}
		return
	}
	if *update {
		archive.Files = append(archive.Files, got)
		return
	}
	t.Errorf("the archive lacks %s; run with -update", got.Name)
}
