package cli

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/btplan/btplan/config"
	"github.com/btplan/btplan/internal/view"
	"github.com/hashicorp/hcl/v2"
)

const (
	// consoleInput is where diagnostics say that an expression stands, as
	// Terraform's do.
	consoleInput = "<console-input>"
	// maxExpression is how long an expression may be, in bytes. An input need
	// not have line ends, and is not to fill the memory.
	maxExpression = 16 << 10
	// maxLines is how many lines it may have: with each one it is looked at as
	// a whole, to see whether its brackets are closed.
	maxLines = 256
)

var errTooLong = errors.New("the expression is too long")

const consoleHelp = `Type an expression to see its value, such as ports(6881, 9), var.NAME or
port_range.NAME.ports. While a bracket is open, the expression goes on in the
next line. To leave, type exit or end the input (Ctrl-D).`

// console is one session of expressions and their values.
type console struct {
	*run
	scope *config.Scope
	files view.Files
	lines <-chan line
	// typing: the input is a terminal, where a mistake ends nothing.
	typing  bool
	prompts bool
}

// line is one line of the input, without its end; or why there is none.
type line struct {
	text string
	err  error
}

func (r *run) console(ctx context.Context, _ []string) int {
	scope, files, diags := config.LoadScope(r.path(""), r.configOptions())
	r.diagnostics(diags, files)
	if scope == nil {
		return exitError
	}
	c := &console{run: r, scope: scope, files: files, lines: readLines(ctx, r.Stdin), typing: isTerminal(r.Stdin)}
	c.prompts = c.typing && isTerminal(r.out.Writer)
	for {
		text, err := c.expression(ctx)
		switch {
		case ctx.Err() != nil:
			return exitError
		case errors.Is(err, io.EOF):
			return exitOK
		case errors.Is(err, errTooLong):
			r.fail("Expression too long", fmt.Sprintf("An expression may take %d KiB, in %d lines. Put long values into the configuration, or into files that the functions file and jsondecode can read.", maxExpression>>10, maxLines))
		case err != nil:
			return r.fail("Unreadable input", "The standard input can't be read: "+err.Error()+".")
		case strings.TrimSpace(text) == "exit":
			return exitOK
		case c.answer(text):
			continue
		}
		if !c.typing {
			return exitError
		}
	}
}

// expression reads the next one: a line, or as many as it takes to close its
// brackets.
func (c *console) expression(ctx context.Context) (string, error) {
	text, err := c.line(ctx, "> ")
	if err != nil || !unfinished(text) {
		return text, err
	}
	for range maxLines - 1 {
		more, err := c.line(ctx, ": ")
		if errors.Is(err, io.EOF) {
			return text, nil // unfinished, which the parser tells best
		}
		if err != nil {
			return "", err
		}
		text += "\n" + more
		switch {
		case len(text) > maxExpression:
			return "", errTooLong
		case !unfinished(text):
			return text + "\n", nil // which ends a heredoc
		}
	}
	return "", errTooLong
}

// line reads the next line.
func (c *console) line(ctx context.Context, prompt string) (string, error) {
	if c.prompts {
		say(c.Stdout, "%s", prompt)
	}
	var next line
	select {
	case <-ctx.Done():
		next.err = ctx.Err()
	case next = <-c.lines:
	}
	if next.err == nil && len(next.text) > maxExpression {
		next.err = errTooLong
	}
	if next.err != nil && c.prompts {
		say(c.Stdout, "\n") // what comes next is not to stand behind the prompt
	}
	return next.text, next.err
}

// answer prints the value of an expression, or what is wrong with it.
func (c *console) answer(text string) (fine bool) {
	switch {
	case isBlank(text):
		return true
	case strings.TrimSpace(text) == "help":
		say(c.Stdout, "%s\n", consoleHelp)
		return true
	}
	c.files[consoleInput] = &hcl.File{Bytes: []byte(text)}
	expr, diags := config.ParseExpression([]byte(text), consoleInput)
	if !diags.HasErrors() {
		value, more := c.scope.Value(expr)
		if diags = append(diags, more...); !diags.HasErrors() {
			say(c.Stdout, "%s\n", view.ValueText(value))
		}
	}
	c.diagnostics(diags, c.files)
	return !diags.HasErrors()
}

// readLines gives the lines of in until ctx ends. A read can't be broken off:
// the last one is left behind, and ends with the process. Of a line that is too
// long nothing is kept.
func readLines(ctx context.Context, in io.Reader) <-chan line {
	lines := make(chan line)
	give := func(l line) (taken bool) {
		select {
		case lines <- l:
			return true
		case <-ctx.Done():
			return false
		}
	}
	go func() {
		reader := bufio.NewReaderSize(in, maxExpression+2) // with the line's end
		for {
			text, err := reader.ReadSlice('\n')
			switch {
			case errors.Is(err, bufio.ErrBufferFull):
				if !give(line{err: errTooLong}) {
					return
				}
				for errors.Is(err, bufio.ErrBufferFull) && ctx.Err() == nil {
					_, err = reader.ReadSlice('\n')
				}
			case err == nil || len(text) > 0:
				if !give(line{text: string(bytes.TrimRight(text, "\r\n"))}) {
					return
				}
			}
			if err != nil {
				give(line{err: err})
				return
			}
		}
	}()
	return lines
}
