//go:build !linux

package lab

const holderEnv = "BTPLAN_LAB_HOLDER"

// hold is never called: elsewhere than on Linux nobody starts a holder.
func hold(string) int { panic("lab: a holder was started on a system without namespaces") }
