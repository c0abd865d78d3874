package view

import (
	"bytes"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/btplan/btplan/plan"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"golang.org/x/tools/txtar"
)

// TestDiagnostics prints one of each kind of diagnostic in each form.
func TestDiagnostics(t *testing.T) {
	golden(t, "diagnostics.txtar", func(t *testing.T, in map[string]string) []txtar.File {
		const name = "main.btp.hcl"
		file, diags := hclsyntax.ParseConfig([]byte(in[name]), name, hcl.InitialPos)
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		files := Files{name: file}
		body := file.Body.(*hclsyntax.Body)
		second, first := body.Blocks[1].TypeRange, body.Blocks[0].Body.Attributes["host"].Expr.Range()
		warning := &hcl.Diagnostic{Severity: hcl.DiagWarning, Summary: "gateway.edge: Forwarding is off", Detail: "Set net.ipv4.ip_forward.", Subject: &second}
		failed := &hcl.Diagnostic{Severity: hcl.DiagError, Summary: "gateway.edge could not be reached", Detail: "The device said: \x1b[2J\u202eowned\r.", Subject: &first}
		all := hcl.Diagnostics{
			warning, failed, failed,
			{Severity: hcl.DiagError, Summary: "No such file", Detail: "open x: no such file."},
			{Severity: hcl.DiagError, Summary: "Elsewhere", Detail: "In a file that is not at hand.", Subject: &hcl.Range{Filename: "other.btp.hcl", Start: hcl.Pos{Line: 3, Column: 1, Byte: 30}}},
		}
		var many hcl.Diagnostics
		for _, n := range []int{0, 1, 10, 2} {
			edge := plan.Addr{Block: plan.BlockGateway, Name: "edge", Key: plan.NumKey(n)}
			for _, says := range []string{"Forwarding is off", fmt.Sprintf("No route to 192.168.1.%d", n/10)} {
				many = append(many, &hcl.Diagnostic{Severity: hcl.DiagWarning, Summary: edge.String() + ": " + says, Detail: "Turn it on.", Subject: &second, Extra: edge})
			}
		}
		twice := *many[0] // of one device, by another block
		twice.Subject = &first
		many = append(many, &twice)
		show := func(o Options, diags hcl.Diagnostics) []byte {
			var out, err bytes.Buffer
			o.Out, o.Err = &out, &err
			synctest.Test(t, func(*testing.T) { New(o).Diagnostics(diags, files) })
			return visible(append(out.Bytes(), err.Bytes()...))
		}
		return []txtar.File{
			{Name: "text", Data: show(Options{}, all)},
			{Name: "narrow, in colour", Data: show(Options{ErrColor: true, Width: 20}, hcl.Diagnostics{warning})},
			{Name: "compact", Data: show(Options{CompactWarnings: true}, hcl.Diagnostics{warning, warning})},
			{Name: "of several devices", Data: show(Options{}, many)},
			{Name: "of several devices, compact", Data: show(Options{CompactWarnings: true}, many)},
			{Name: "compact with an error", Data: show(Options{CompactWarnings: true}, hcl.Diagnostics{warning, failed})},
			{Name: "lines", Data: show(Options{JSON: true}, all)},
			{Name: "validation.json", Data: ValidationJSON(all, files)},
			{Name: "valid.json", Data: ValidationJSON(nil, files)},
		}
	})
}
