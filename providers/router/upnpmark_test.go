package router

import (
	"fmt"
	"testing"

	"github.com/btplan/btplan/plan"
)

// A mark must never change: it is on devices.
func TestMarks(t *testing.T) {
	alice := plan.Addr{Block: plan.BlockPortRange, Name: "bt", Key: plan.TextKey("alice")}
	m := newMarks("home", []plan.Addr{seedbox, alice}, nil)
	for owner, want := range map[plan.Addr]string{seedbox: "btplan:624a8e0e", alice: "btplan:624a9ae4"} {
		if got := m.mark(owner); got != want {
			t.Errorf("the mark of %s is %s, want %s", owner, got, want)
		}
		if got := m.owned(want); got != owner {
			t.Errorf("%s is of %s, want %s", want, got, owner)
		}
	}
	for _, foreign := range []string{
		"", "Transmission", "btplan:", "btplan:home:seedbox", m.mark(seedbox)[:12], m.mark(seedbox) + " ",
		newMarks("cabin", []plan.Addr{seedbox}, nil).mark(seedbox),
	} {
		if got := m.owned(foreign); !got.IsZero() {
			t.Errorf("%q is taken for a mark of %s", foreign, got)
		}
	}
	gone := m.project + "0000"
	if got := m.owned(gone).String(); got != "port_range.gone-0000" {
		t.Errorf("%s is of %s", gone, got)
	}
}

// Among so many port ranges some get the same digits. All must be told apart,
// in whatever order they come.
func TestMarksCollide(t *testing.T) {
	var owners, reversed []plan.Addr
	const n = 2000
	for i := range n {
		owners = append(owners, plan.Addr{Block: plan.BlockPortRange, Name: fmt.Sprintf("bt%d", i)})
		reversed = append([]plan.Addr{owners[i]}, reversed...)
	}
	m, r := newMarks("home", owners, nil), newMarks("home", reversed, nil)
	salted := 0
	for _, o := range owners {
		if m.owned(m.mark(o)) != o {
			t.Errorf("%s isn't the owner of its mark", o)
		}
		if m.mark(o) != r.mark(o) {
			t.Errorf("the mark of %s depends on the order", o)
		}
		if m.mark(o) != newMarks("home", []plan.Addr{o}, nil).mark(o) {
			salted++
		}
	}
	if salted == 0 {
		t.Error("no two of 2000 got the same digits: the test shows nothing")
	}
	// One that is only remembered takes no mark from one that is configured.
	if m := newMarks("home", owners[:10], owners); m.mark(owners[3]) != newMarks("home", owners[:10], nil).mark(owners[3]) {
		t.Error("what is remembered changes what is configured")
	}
}
