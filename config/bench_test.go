package config

import (
	"fmt"
	"strings"
	"testing"
)

// tenThousand is a configuration of 10,000 port ranges, on 100 machines with
// a firewall, behind one gateway.
const tenThousand = `
btplan { project = "bench" }
locals {
  machines = { for i in range(100) : format("m%02d", i) => i }
  ranges = merge([
    for name, m in local.machines : { for i in range(100) : "${name}-${i}" => { machine = name, port = 10000 + 100 * m + i } }
  ]...)
}
machine "all" {
  for_each = local.machines
  address  = cidrhost("10.0.0.0/16", 10 + each.value)
  ssh { user = "root" }
  firewall "nftables" {}
}
gateway "linux" "edge" {
  ssh { host = "192.168.1.1" }
}
port_range "all" {
  for_each  = local.ranges
  machine   = machine.all[each.value.machine]
  gateways  = [gateway.edge]
  ports     = each.value.port
  wan_ports = each.value.port + 20000
  protocols = ["tcp", "udp"]
  sources   = ["203.0.113.0/24", "198.51.100.0/24"]
}
output "open" { value = { for k, r in port_range.all : k => r.wan_ports } }
`

func BenchmarkLoad10000(b *testing.B) {
	files := map[string][]byte{"main.btp.hcl": []byte(tenThousand)}
	for b.Loop() {
		cfg, _, diags := loadFiles(files, testTypes())
		if len(diags) > 0 {
			b.Fatal(diags)
		}
		if n := len(cfg.Wanted()); n != 40_000 {
			b.Fatalf("%d rules", n)
		}
	}
}

// BenchmarkLoadBlocks10000 has as many port ranges, but each in a block of
// its own.
func BenchmarkLoadBlocks10000(b *testing.B) {
	var src strings.Builder
	src.WriteString("btplan { project = \"bench\" }\nmachine \"m\" { address = \"10.0.0.1\" }\ngateway \"linux\" \"edge\" {}\n")
	for i := range 10_000 {
		fmt.Fprintf(&src, "locals { p%d = %d }\nport_range \"r%d\" {\n  machine = machine.m\n  gateways = [gateway.edge]\n  ports = local.p%d\n}\n", i, 10000+i, i, i)
	}
	files := map[string][]byte{"main.btp.hcl": []byte(src.String())}
	for b.Loop() {
		if _, _, diags := loadFiles(files, testTypes()); len(diags) > 0 {
			b.Fatal(diags)
		}
	}
}
