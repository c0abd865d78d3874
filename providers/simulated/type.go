// Package simulated is a gateway, or a machine's firewall, that exists in a JSON
// file: to try btplan, and to test a configuration with no device at hand. What
// a packet filter would hold stands there one rule a line, and can be edited by
// hand to play someone else who changes the device.
//
// A rule carries the mark of its owner and the seal of all of that owner's
// rules (see [plan.Mark] and [plan.Seal]):
//
//	{
//	  "format": 1,
//	  "rules": [
//	    {"protocol": "tcp", "ports": "6881-6889", "to": "192.168.1.11:6881-6889", "mark": "btplan:home:seedbox:5c125084"},
//	    {"protocol": "tcp", "ports": "8080", "to": "192.168.1.5:80", "sources": ["203.0.113.0/24"], "comment": "web server"}
//	  ]
//	}
//
// A rule may have a lease, in seconds: a simulated device has no clock, so that
// whoever edits the file lets the time go by.
//
// The file of a firewall may say that it drops what its machine sends. Its
// rules have no target and no lease, but a direction, "in" if none is said:
//
//	{
//	  "format": 1,
//	  "outbound": "drop",
//	  "rules": [
//	    {"protocol": "tcp", "ports": "6881-6889", "mark": "btplan:home:seedbox:80a5e37b"},
//	    {"direction": "out", "protocol": "tcp", "ports": "6969", "mark": "btplan:home:machine.seedbox:f411b646"}
//	  ]
//	}
//
// A device of which there is nothing to say is no file.
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
			"file": fileSpec(gatewayRole),
			"lease": &hcldec.ValidateSpec{
				Wrapped: &hcldec.AttrSpec{Name: "lease", Type: cty.String},
				Func:    checkLease,
			},
		},
		Open: func(s providers.Settings) (providers.Device, error) {
			d := open(s, gatewayRole)
			if v := s.Body.GetAttr("lease"); !v.IsNull() {
				d.lease, _ = parseLease(v.AsString()) // checkLease has seen it
			}
			return d, nil
		},
	}
}

// Firewall is the firewall type "simulated". Its block may say in which file the
// rules are, as that of a gateway may:
//
//	machine "seedbox" {
//	  address = "192.168.1.11"
//	  firewall "simulated" {
//	    file = "seedbox.json"
//	  }
//	}
//
// Without file it is named after the machine: seedbox.firewall.json, and with
// for_each or count seedbox.KEY.firewall.json.
func Firewall() providers.Type {
	return providers.Type{
		Name: "simulated",
		Spec: hcldec.ObjectSpec{"file": fileSpec(firewallRole)},
		Open: func(s providers.Settings) (providers.Device, error) { return open(s, firewallRole), nil },
	}
}

func fileSpec(is role) hcldec.Spec {
	return &hcldec.ValidateSpec{
		Wrapped: &hcldec.AttrSpec{Name: "file", Type: cty.String},
		Func:    func(v cty.Value) hcl.Diagnostics { return checkFile(v, is) },
	}
}

// checkFile tells the author of a path that can name no file.
func checkFile(v cty.Value, is role) hcl.Diagnostics {
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
		Detail:   fmt.Sprintf("%q names no file. Give the path of the JSON file that holds the rules of this %s, such as \"home.json\", or leave it out.", name, is.name),
	}}
}

func open(s providers.Settings, is role) *device {
	name := defaultFile(s.Addr, is)
	if v := s.Body.GetAttr("file"); !v.IsNull() {
		name = v.AsString()
	}
	path := name
	if !filepath.IsAbs(path) {
		path = filepath.Join(s.Dir, path)
	}
	return &device{is: is, addr: s.Addr, project: s.Project, file: file{path: path, name: name}, wait: s.LockWait}
}

// defaultFile is the file of a device whose block names none. A block's name
// holds no dot, so that no two devices get the same one.
func defaultFile(addr plan.Addr, is role) string {
	name := addr.Name
	if key := addr.Key.Value(); key != nil {
		name += "." + escapeKey(fmt.Sprint(key))
	}
	return name + is.suffix
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
