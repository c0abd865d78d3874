package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/btplan/btplan/config"
	"github.com/btplan/btplan/internal/view"
	"github.com/google/renameio/v2/maybe"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/rogpeppe/go-internal/diff"
)

func (r *run) format(_ context.Context, paths []string) int {
	if len(paths) == 1 && paths[0] == "-" {
		return r.formatStdin()
	}
	if len(paths) == 0 {
		paths = []string{"."}
	}
	// What can't be formatted keeps nothing else from being formatted.
	changed, code := false, exitOK
	for _, path := range paths {
		files, err := r.sources(path)
		if err != nil {
			code = r.fail("No such file", err.Error()+".")
			continue
		}
		for _, file := range files {
			differs, failed := r.formatFile(file)
			changed, code = changed || differs, max(code, failed)
		}
	}
	if code == exitOK && r.check && changed {
		return exitUnformatted
	}
	return code
}

// sources are the files to format at a path, as the user would name them.
func (r *run) sources(path string) ([]string, error) {
	info, err := os.Stat(r.path(path))
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		if !isSource(path) {
			return nil, fmt.Errorf("%s is not a file that btplan formats: its name must end in .btp.hcl or .btpvars.hcl", path)
		}
		return []string{path}, nil
	}
	var files []string
	root := r.path(path)
	err = filepath.WalkDir(root, func(at string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if at != root && (!r.recursive || strings.HasPrefix(entry.Name(), ".")) {
				return fs.SkipDir
			}
			return nil
		}
		below, err := filepath.Rel(root, at)
		if err == nil && isSource(at) {
			files = append(files, filepath.Join(path, below))
		}
		return err
	})
	return files, err
}

// isSource says whether a file is written in HCL's native syntax for btplan.
func isSource(path string) bool {
	return strings.HasSuffix(path, ".btp.hcl") || strings.HasSuffix(path, ".btpvars.hcl")
}

// formatFile formats one file and says whether it was not formatted.
func (r *run) formatFile(file string) (differs bool, code int) {
	at := r.path(file)
	before, err := readRegular(at)
	if err != nil {
		return false, r.fail("File not read", err.Error()+".")
	}
	after, diags := formatted(file, before)
	if diags.HasErrors() {
		r.diagnostics(diags, view.Files{file: {Bytes: before}})
		return false, exitError
	}
	if bytes.Equal(before, after) {
		return false, exitOK
	}
	if r.list {
		say(r.Stdout, "%s\n", file)
	}
	if r.write && !r.check {
		if err := overwrite(at, after); err != nil {
			return true, r.fail("File not written", err.Error()+".")
		}
	}
	if r.diff {
		say(r.Stdout, "%s", diff.Diff("old/"+file, before, "new/"+file, after))
	}
	return true, exitOK
}

// readRegular reads a file, but not a pipe or a device, which may have no end.
func readRegular(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	return os.ReadFile(path)
}

// overwrite replaces a file's content in one step, keeping its mode; of a
// symbolic link, that of the file it leads to.
func overwrite(path string, content []byte) error {
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	return maybe.WriteFile(path, content, 0o600)
}

func (r *run) formatStdin() int {
	before, err := io.ReadAll(r.Stdin)
	if err != nil {
		return r.fail("Input not read", "The standard input can't be read: "+err.Error()+".")
	}
	const name = "<stdin>"
	after, diags := formatted(name, before)
	if diags.HasErrors() {
		r.diagnostics(diags, view.Files{name: {Bytes: before}})
		return exitError
	}
	switch {
	case r.check && !bytes.Equal(before, after):
		return exitUnformatted
	case r.diff:
		say(r.Stdout, "%s", diff.Diff("old/"+name, before, "new/"+name, after))
	case !r.check:
		say(r.Stdout, "%s", after)
	}
	return exitOK
}

// formatted gives HCL source the usual format. Source with mistakes in it is
// left alone: spaces would be guesswork.
func formatted(name string, src []byte) ([]byte, hcl.Diagnostics) {
	if _, diags := config.ParseFile(src, name); diags.HasErrors() {
		return nil, diags
	}
	return hclwrite.Format(src), nil
}
