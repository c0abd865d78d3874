package engine

import (
	"github.com/btplan/btplan/internal/memory"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
	"github.com/hashicorp/hcl/v2"
)

// notes is where a device may note what it can't hold itself.
func (e *Engine) notes(device plan.Addr) providers.Memory {
	if e.memory == nil {
		e.memory = memory.New(e.Config.Dir)
	}
	return e.memory.Of(device)
}

// memoryDiagnostics tells, once, of what went wrong with the memory.
func (e *Engine) memoryDiagnostics() hcl.Diagnostics {
	if e.memory == nil {
		return nil
	}
	var diags hcl.Diagnostics
	for _, text := range e.memory.Warnings() {
		diags = append(diags, &hcl.Diagnostic{
			Severity: hcl.DiagWarning,
			Summary:  "Memory file not usable",
			Detail:   sentenceOf(text),
		})
	}
	return diags
}

// owners are those that may own rules on a device: all the port_ranges of the
// configuration, and of a host firewall its machine.
func (e *Engine) owners(device plan.Addr) []plan.Addr {
	out := make([]plan.Addr, 0, len(e.Config.PortRanges)+1)
	for _, p := range e.Config.PortRanges {
		out = append(out, p.Addr)
	}
	if device.Block == plan.BlockMachine {
		out = append(out, device)
	}
	return out
}
