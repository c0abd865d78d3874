package router

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"

	"github.com/btplan/btplan/plan"
)

// marks are how mappings say whose they are. Routers cut descriptions off, so a
// mark is short: "btplan:" and 8 hexadecimal digits, of which the first four
// stand for the project and the others for the port_range in it. It has nothing
// in it that changes, such as a time.
//
// The project's digits are what a mapping of this project is known by, also one
// of a port_range that is no longer in the configuration: it is found and taken
// away with nothing stored anywhere. Its name is then known from the memory
// file; without that it is called port_range.gone-XXXX after its digits.
//
// Of 65,536 marks two port ranges could get the same. The second one, in the
// order of their addresses, then takes another. Should the first go away, the
// second one's mappings are written anew.
type marks struct {
	project string // the part that all marks of the project begin with
	of      map[plan.Addr]string
	owner   map[string]plan.Addr
}

// newMarks gives the marks of a project: those of the port ranges that are
// configured, and of others that are remembered.
func newMarks(project string, configured, remembered []plan.Addr) *marks {
	m := &marks{
		project: "btplan:" + digits("project", project),
		of:      map[plan.Addr]string{},
		owner:   map[string]plan.Addr{},
	}
	sorted := slices.SortedFunc(slices.Values(configured), plan.Addr.Compare)
	for _, owner := range sorted {
		for salt := 0; m.of[owner] == ""; salt++ {
			m.take(owner, m.project+digits("port_range", project, owner.String(), fmt.Sprint(salt)))
		}
	}
	for _, owner := range remembered {
		if m.of[owner] == "" {
			m.take(owner, m.project+digits("port_range", project, owner.String(), "0"))
		}
	}
	return m
}

// take gives owner the mark, if nobody has it.
func (m *marks) take(owner plan.Addr, mark string) {
	if _, taken := m.owner[mark]; !taken {
		m.of[owner], m.owner[mark] = mark, owner
	}
}

// digits are 4 hexadecimal digits that stand for some texts.
func digits(texts ...string) string {
	h := sha256.New()
	for _, t := range texts {
		fmt.Fprintf(h, "%q\n", t)
	}
	return hex.EncodeToString(h.Sum(nil)[:2])
}

// aMark is the form of every project's marks.
var aMark = regexp.MustCompile(`^btplan:[0-9a-f]{8}$`)

// owned tells whose mapping has this description; the zero address: not this
// project's.
func (m *marks) owned(description string) plan.Addr {
	if owner, known := m.owner[description]; known {
		return owner
	}
	if aMark.MatchString(description) && description[:len(m.project)] == m.project {
		return plan.Addr{Block: plan.BlockPortRange, Name: "gone-" + description[len(m.project):]}
	}
	return plan.Addr{}
}

// mark is what the mappings of an owner carry.
func (m *marks) mark(owner plan.Addr) string {
	mark := m.of[owner]
	if mark == "" {
		panic("a mapping for " + owner.String() + ", which is no port_range of the configuration")
	}
	return mark
}
