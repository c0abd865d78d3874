//go:build unix

// Part is the program that plays the programs of machines that can't run here:
// see package hostfake.
package main

import "github.com/btplan/btplan/internal/hostfake"

func main() { hostfake.Play() }
