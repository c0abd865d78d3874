package hostfw

import (
	"testing"

	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/hashicorp/hcl/v2/hclparse"
)

// What an author may write in the block.
func TestFirewallBlocks(t *testing.T) {
	for _, test := range []struct{ typ, body, want string }{
		{"windows", ``, ""},
		{"windows", `mode = "icf"`, ""},
		{"windows", `program = "C:\\Program Files\\Azureus\\Azureus.exe"`, ""},
		{"windows", `mode = "xp"`, "Unknown mode"},
		{"windows", `program = "azureus.exe"`, "Invalid program"},
		{"windows", `program = "%ProgramFiles%\\x.exe"`, "Invalid program"},
		{"windows", `program = "C:\\x\\"`, "Invalid program"},
		{"windows", `program = "C:\\a\" & calc & \".exe"`, "Invalid program"},
		{"macos", `program = "/Applications/Transmission.app"`, ""},
		{"macos", `program = "Transmission"`, "Invalid program"},
		{"macos", `program = "/x\n"`, "Invalid program"},
		{"macos", `mode = "icf"`, "Unsupported argument"},
		{"ufw", `program = "/usr/bin/transmission-daemon"`, "This firewall knows no programs"},
		{"nftables", `program = "x"`, "This firewall knows no programs"},
		{"auto", `program = "x"`, "This firewall knows no programs"},
		{"firewalld", ``, ""},
	} {
		file, diags := hclparse.NewParser().ParseHCL([]byte(test.body), "main.btp.hcl")
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		var spec hcldec.ObjectSpec
		for _, typ := range Types() {
			if typ.Name == test.typ {
				spec = typ.Spec
			}
		}
		_, diags = hcldec.Decode(file.Body, spec, nil)
		got := ""
		if diags.HasErrors() {
			got = diags[0].Summary
			if test.want != "" && diags[0].Subject == nil {
				t.Errorf("%s { %s }: the diagnostic says not where", test.typ, test.body)
			}
		}
		if got != test.want {
			t.Errorf("%s { %s }: got %q, want %q", test.typ, test.body, got, test.want)
		}
	}
}
