// Package netfilter is the packet filters of a Linux device: which there are
// (nftables, and both variants of iptables for both IP versions), what they
// drop, and how what btplan opens gets past all of them.
//
// What is ours is in a table of nftables or in chains of iptables of its own,
// which are changed as one. An accept there would be of no use where another
// chain drops the packet: so it gets a mark, and each chain of somebody else
// that may drop it gets a hook, one constant rule that accepts what is marked.
package netfilter

import (
	"crypto/sha256"
	"fmt"
	"strings"

	"github.com/btplan/btplan/internal/iptables"
	"github.com/btplan/btplan/internal/nft"
)

// Way is a way that packets take through the kernel, by the name of nftables'
// hook on which chains can drop them.
type Way string

// The ways.
const (
	Forward Way = "forward" // through the device
	Input   Way = "input"   // to the device itself
	Output  Way = "output"  // from the device itself
)

// chain is iptables' chain on the way.
func (w Way) chain() string { return strings.ToUpper(string(w)) }

// Versions are IP versions.
type Versions struct{ Four, Six bool }

// of says whether IPv6 is among them, or IPv4.
func (v Versions) of(six bool) bool { return six && v.Six || !six && v.Four }

// with adds a version to v.
func (v Versions) with(other Version) Versions {
	return Versions{v.Four || other != IPv6, v.Six || other != IPv4}
}

// Less gives those of v that a version is not.
func (v Versions) Less(other Version) Versions {
	return Versions{v.Four && other == IPv6, v.Six && other == IPv4}
}

// Names are the names of what is ours on a device. Each project has tables and
// chains of its own, so that none ever writes another's; and one that has a
// device both as a gateway and as a machine has them twice.
type Names struct {
	Project string
	table   string // begins the name of a table of nftables
	chains  string // begins those of chains of iptables
	longest string // kind of chain, for which a name has to have room
}

// The prefixes of tables of all projects.
const (
	gatewayTable = "btplan_"
	hostTable    = "btplanhost_"
)

// anyChains begins the names of all chains of ours.
const anyChains = "BTPLAN"

// GatewayNames are those of a project's forwards.
func GatewayNames(project string) Names {
	return Names{project, gatewayTable, anyChains + "-", "DNAT"}
}

// HostNames are those of what a project opens on the device itself.
func HostNames(project string) Names {
	return Names{project, hostTable, anyChains + "HOST-", "OUT"}
}

// Table is our table of nftables.
func (n Names) Table() nft.Table { return nft.Table{Family: "inet", Name: n.table + n.Project} }

// IsOurs says whether a table is of any project of btplan, of the same kind.
func (n Names) IsOurs(t nft.Table) bool {
	return t.Family == "inet" && strings.HasPrefix(t.Name, n.table)
}

// isOurs says whether a table is of any project of btplan.
func isOurs(t nft.Table) bool { return GatewayNames("").IsOurs(t) || HostNames("").IsOurs(t) }

// Chain names a chain: BTPLAN-DNAT-home. The longest kind's name leaves some
// bytes for the project; of a longer project's name stands what fits and,
// behind a dot, which no project's name has, 8 digits of its hash.
func (n Names) Chain(kind string) string {
	room := iptables.MaxChain - len(n.chains+n.longest+"-")
	project := n.Project
	if len(project) > room {
		project = project[:room-9] + "." + hash(n.Project)
	}
	return n.chains + kind + "-" + project
}

// IsOther says whether a chain is one of this kind of another project.
func (n Names) IsOther(chain, kind string) bool {
	return strings.HasPrefix(chain, n.chains+kind+"-") && chain != n.Chain(kind)
}

// anyChain is a regular expression (POSIX basic) for the chains.
func (n Names) anyChain() string {
	return strings.ReplaceAll(n.Chain("[A-Z]*"), ".", `\.`)
}

// GenerationChain names the empty chain that says which writing a table is.
func (n Names) GenerationChain(generation string) string {
	project := n.Project
	if n.table != gatewayTable {
		project = n.table + project
	}
	return anyChains + "-" + hash(project) + "-" + generation
}

func hash(s string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(s)))[:8] }

// hookComment marks the hooks.
func (n Names) hookComment() string { return hookPrefix + n.Project }

const hookPrefix = "btplan:hook:"

// ownLines spells the command that prints, of what iptables-save lists, the
// lines that have to do with us.
func (n Names) ownLines() string {
	ours := n.anyChain()
	return fmt.Sprintf("sed -n -e '/^\\*/p' -e '/^:%[2]s/p' -e '/^:%[1]s /p' -e '/^-A %[1]s /p' -e '/ -[gj] %[1]s$/p'", ours, n.GenerationChain(""))
}

// isOurChain says whether a chain of iptables is of any project of btplan.
func isOurChain(name string) bool { return strings.HasPrefix(name, anyChains) }
