// Btplan opens ports for BitTorrent on firewalls and NAT gateways, in
// Terraform's manner: a plan first, then the change.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/btplan/btplan/internal/cli"
)

func main() { os.Exit(run()) }

func run() int {
	// Two, so that a second Ctrl-C is seen even if the first still waits.
	interrupts := make(chan os.Signal, 2)
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} {
		if !signal.Ignored(s) { // as nohup has it
			signal.Notify(interrupts, s)
		}
	}
	// A reader of our output that goes away must not end an apply half-way:
	// the write fails, and the run says so at its end. Ignoring the signal
	// would do, but the programs that btplan starts would inherit that.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	return cli.Run(context.Background(), cli.Process{
		Args:       os.Args,
		Stdin:      os.Stdin,
		Stdout:     os.Stdout,
		Stderr:     os.Stderr,
		Env:        os.Environ(),
		Interrupts: interrupts,
		Release:    func() { signal.Stop(interrupts) },
	})
}
