// Package simulated is a gateway that exists in a JSON file: to try btplan,
// and to test a configuration with no device at hand. What a packet filter
// would hold stands there one rule a line, and can be edited by hand to play
// someone else who changes the device.
//
// A rule carries the mark of its owner and the seal of all of that owner's
// rules (see [plan.Mark] and [plan.Seal]):
//
//	{
//	  "format": 1,
//	  "rules": [
//	    {"protocol": "tcp", "ports": "6881-6889", "to": "192.168.1.11:6881-6889", "mark": "btplan:home:seedbox:3f0e9a51"},
//	    {"protocol": "tcp", "ports": "8080", "to": "192.168.1.5:80", "sources": ["203.0.113.0/24"], "comment": "web server"}
//	  ]
//	}
//
// A rule may have a lease, in seconds: a simulated device has no clock, so that
// whoever edits the file lets the time go by.
//
// A device without rules is no file.
package simulated

import (
	"fmt"
	"path/filepath"
	"strings"
	"unicode"

	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/zclconf/go-cty/cty"
)

// Type is the gateway type "simulated". Its block may say in which file the
// rules are, by a path relative to the configuration:
//
//	gateway "simulated" "home" {
//	  file  = "home.json"
//	  lease = "168h"
//	}
//
// With lease, rules are written with so long a lease, and those with less than
// half of it left are to be renewed, as on many a router; without it, or "0s",
// they stay for good.
//
// Without file it is named after the gateway: home.simulated.json, and with
// for_each or count home.KEY.simulated.json. Each gateway needs a file of its
// own.
func Type() providers.Type {
	return providers.Type{
		Name: "simulated",
		Spec: hcldec.ObjectSpec{
			"file": &hcldec.ValidateSpec{
				Wrapped: &hcldec.AttrSpec{Name: "file", Type: cty.String},
				Func:    checkFile,
			},
			"lease": &hcldec.ValidateSpec{
				Wrapped: &hcldec.AttrSpec{Name: "lease", Type: cty.String},
				Func:    checkLease,
			},
		},
		Open: open,
	}
}

// checkFile tells the author of a path that can name no file.
func checkFile(v cty.Value) hcl.Diagnostics {
	v, _ = v.Unmark()
	if !v.IsKnown() || v.IsNull() {
		return nil
	}
	name := v.AsString()
	unprintable := strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) })
	if name != "" && !unprintable && !strings.HasSuffix(name, "/") {
		return nil
	}
	return hcl.Diagnostics{{
		Severity: hcl.DiagError,
		Summary:  "Invalid file",
		Detail:   fmt.Sprintf("%q names no file. Give the path of the JSON file that holds the rules of this gateway, such as \"home.json\", or leave it out.", name),
	}}
}

func open(s providers.Settings) (providers.Device, error) {
	name := defaultFile(s.Addr)
	if v := s.Body.GetAttr("file"); !v.IsNull() {
		name = v.AsString()
	}
	path := name
	if !filepath.IsAbs(path) {
		path = filepath.Join(s.Dir, path)
	}
	d := &device{addr: s.Addr, project: s.Project, file: file{path: path, name: name}}
	if v := s.Body.GetAttr("lease"); !v.IsNull() {
		d.lease, _ = parseLease(v.AsString()) // checkLease has seen it
	}
	return d, nil
}

// defaultFile is the file of a gateway whose block names none. A block's name
// holds no dot, so that no two gateways get the same one.
func defaultFile(gateway plan.Addr) string {
	name := gateway.Name
	if key := gateway.Key.Value(); key != nil {
		name += "." + escapeKey(fmt.Sprint(key))
	}
	return name + ".simulated.json"
}

// escapeKey makes a part of a file name of a for_each key, which may hold
// anything: all but ASCII letters, digits, - and _ become %XX.
func escapeKey(key string) string {
	var b strings.Builder
	for _, c := range []byte(key) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_':
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}
