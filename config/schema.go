package config

import (
	"strings"

	"github.com/btplan/btplan/plan"
	"github.com/hashicorp/hcl/v2"
)

// schemaOf is the schema of a body with these attributes; a name with a
// "!" in front is required.
func schemaOf(names ...string) *hcl.BodySchema {
	schema := &hcl.BodySchema{}
	for _, name := range names {
		name, required := strings.CutPrefix(name, "!")
		schema.Attributes = append(schema.Attributes, hcl.AttributeSchema{Name: name, Required: required})
	}
	return schema
}

func withBlocks(schema *hcl.BodySchema, headers ...hcl.BlockHeaderSchema) *hcl.BodySchema {
	schema.Blocks = headers
	return schema
}

var (
	rootSchema = withBlocks(schemaOf(),
		hcl.BlockHeaderSchema{Type: "btplan"},
		hcl.BlockHeaderSchema{Type: "variable", LabelNames: []string{"name"}},
		hcl.BlockHeaderSchema{Type: "locals"},
		hcl.BlockHeaderSchema{Type: plan.BlockMachine, LabelNames: []string{"name"}},
		hcl.BlockHeaderSchema{Type: plan.BlockGateway, LabelNames: []string{"type", "name"}},
		hcl.BlockHeaderSchema{Type: plan.BlockPortRange, LabelNames: []string{"name"}},
		hcl.BlockHeaderSchema{Type: "output", LabelNames: []string{"name"}},
	)
	projectSchema  = schemaOf("!project", "required_version")
	variableSchema = withBlocks(
		schemaOf("type", "default", "description", "sensitive"),
		hcl.BlockHeaderSchema{Type: "validation"},
	)
	validationSchema = schemaOf("!condition", "!error_message")
	machineSchema    = withBlocks(
		schemaOf("for_each", "count", "!address", "address6", "local", "trackers"),
		hcl.BlockHeaderSchema{Type: "ssh"},
		hcl.BlockHeaderSchema{Type: "firewall", LabelNames: []string{"type"}},
	)
	gatewaySchema = withBlocks(
		schemaOf("for_each", "count", "local", "via"),
		hcl.BlockHeaderSchema{Type: "ssh"},
	)
	portRangeSchema = schemaOf("for_each", "count", "!machine", "gateways", "!ports", "wan_ports", "protocols", "sources")
	sshSchema       = schemaOf("host", "port", "user", "identity_file", "known_hosts_file", "timeout", "sudo", "jump")
	outputSchema    = schemaOf("!value", "description", "sensitive")
)
