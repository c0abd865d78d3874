package portctl

import (
	"fmt"
	"time"
)

// Result says how a server has dealt with a request: a result code of PCP (RFC
// 6887, section 7.4). Those of NAT-PMP (RFC 6886, section 3.5) are given by
// their equals here.
type Result uint16

// The results.
const (
	Success Result = iota
	UnsupportedVersion
	NotAuthorized
	MalformedRequest
	UnsupportedOpcode
	UnsupportedOption
	MalformedOption
	NetworkFailure
	NoResources
	UnsupportedProtocol
	UserExceededQuota
	CannotProvideExternal
	AddressMismatch
	ExcessiveRemotePeers
	// Unknown is any code that neither RFC has.
	Unknown Result = 0xffff
)

var resultNames = [...]string{
	"success", "the version is not supported", "not authorized", "the request is malformed", "the opcode is not supported",
	"an option is not supported", "an option is malformed", "network failure", "no resources", "the transport protocol is not supported",
	"the quota of this user is used up", "the outside port can't be given", "the address in the request is not that of the sender", "too many remote peers",
}

// String is what the result means, in a few words.
func (r Result) String() string {
	if int(r) < len(resultNames) {
		return resultNames[r]
	}
	return "unknown"
}

// ResultError is a server's answer that it did not do what it was asked.
type ResultError struct {
	Result Result
	Code   uint16 // the same as a number of the protocol's own
	Seen
	// Lifetime is for how long the server expects to give the same answer, by
	// its own word (PCP alone); 0: it did not say.
	Lifetime time.Duration
	// Speaks is the version that the server does support, where Result is
	// UnsupportedVersion: 0 for NAT-PMP, 2 for PCP.
	Speaks uint8
}

func (e *ResultError) Error() string {
	return fmt.Sprintf("the router refuses: %s (result code %d)", e.Result, e.Code)
}
