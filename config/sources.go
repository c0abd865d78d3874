package config

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// How much of a file is taken, in bytes.
const (
	maxConfigFile = 16 << 20
	maxDataFile   = 1 << 20 // for file and templatefile
)

// source is a file and what is in it.
type source struct {
	path string
	text []byte
}

// sources are the files of a directory that matter, in name order.
type sources struct {
	config []source // the configuration itself
	values []source // for its variables, later over earlier
}

// body is the content of one file.
type body struct {
	hcl.Body
	at hcl.Range // its beginning
}

// listDir reads the directory's files.
func (l *loader) listDir() sources {
	entries, err := os.ReadDir(l.dir)
	if err != nil {
		l.failFile("Unreadable configuration", "The directory can't be read: %s.", err)
		return sources{}
	}
	var names []string
	for _, e := range entries {
		// Hidden files are editors' copies.
		if !strings.HasPrefix(e.Name(), ".") && !e.IsDir() {
			names = append(names, e.Name())
		}
	}
	src := l.pick(names)
	if len(src.config) == 0 && !l.diags.HasErrors() {
		where := l.dir
		if filepath.Clean(where) == "." {
			where = "the current directory"
		}
		l.failFile("No configuration", "There is no *.btp.hcl or *.btp.json file in %s. Write one (btplan discover -hcl prints one to start from), or say with -chdir where it is.", where)
	}
	return src
}

// pick reads those of the files in l.dir that matter.
func (l *loader) pick(names []string) sources {
	read := func(matters func(string) bool) (out []source) {
		for _, name := range names {
			if !matters(name) {
				continue
			}
			path := filepath.Join(l.dir, name)
			text, err := l.read(path)
			if err != nil {
				l.failFile("Unreadable file", "A file of the configuration can't be read: %s.", err)
				continue
			}
			out = append(out, source{path, text})
		}
		return out
	}
	return sources{config: read(isConfig), values: slices.Concat(read(isMainValues), read(isAutoValues))}
}

func isConfig(name string) bool {
	return strings.HasSuffix(name, ".btp.hcl") || strings.HasSuffix(name, ".btp.json")
}

func isMainValues(name string) bool {
	return name == "btplan.btpvars.hcl" || name == "btplan.btpvars.json"
}

func isAutoValues(name string) bool {
	return strings.HasSuffix(name, ".auto.btpvars.hcl") || strings.HasSuffix(name, ".auto.btpvars.json")
}

// failFile notes a mistake that has no place in any file.
func (l *loader) failFile(summary, detail string, args ...any) {
	l.diags = append(l.diags, &hcl.Diagnostic{
		Severity: hcl.DiagError,
		Summary:  summary,
		Detail:   fmt.Sprintf(detail, args...),
	})
}

// parse reads files as HCL or as its JSON syntax, by their names.
func (l *loader) parse(files []source) []body {
	var out []body
	for _, s := range files {
		f, diags := ParseFile(s.text, s.path)
		l.diags = append(l.diags, diags...)
		if f == nil || f.Body == nil {
			l.files[s.path] = &hcl.File{Bytes: s.text}
			continue
		}
		l.files[s.path] = f
		out = append(out, body{f.Body, hcl.Range{Filename: s.path, Start: hcl.InitialPos, End: hcl.InitialPos}})
	}
	return out
}

// readFile reads a regular file of a bounded size. A device or a pipe could
// block or never end.
func readFile(path string) ([]byte, error) { return readAtMost(path, maxConfigFile) }

func readAtMost(path string, most int64) (text []byte, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "read", Path: path, Err: fmt.Errorf("not a regular file")}
	}
	f, err := os.Open(path) // #nosec G304 -- the author names the file
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	text, err = io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return nil, err
	}
	if int64(len(text)) > most {
		return nil, &fs.PathError{Op: "read", Path: path, Err: fmt.Errorf("larger than %d KiB", most>>10)}
	}
	return text, nil
}

// readData reads a file for the functions of the language.
func (l *loader) readData(path string) ([]byte, error) {
	text, err := l.read(path)
	if err == nil && len(text) > maxDataFile {
		err = &fs.PathError{Op: "read", Path: path, Err: fmt.Errorf("larger than %d KiB", maxDataFile>>10)}
	}
	return text, err
}
