package portctl

import "errors"

// ErrNoGateway is that this computer's routes don't tell its gateway.
var ErrNoGateway = errors.New("the gateway of this computer's default route is not known")
