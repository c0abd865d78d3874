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
	signal.Notify(interrupts, os.Interrupt, syscall.SIGTERM)
	return cli.Run(context.Background(), cli.Process{
		Args:       os.Args,
		Stdin:      os.Stdin,
		Stdout:     os.Stdout,
		Stderr:     os.Stderr,
		Env:        os.Environ(),
		Interrupts: interrupts,
	})
}
