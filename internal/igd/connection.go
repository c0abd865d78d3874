package igd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Connection is a router's connection to the Internet, which holds its port
// mappings. Its calls go one at a time, each at most 5 s, and once more if the
// router closed the connection on it. Their errors are ErrUnanswered, with the
// network's in it; a *Fault, if the router refuses; or ErrAnswer.
type Connection struct {
	Router  *Router
	Service Service
}

// Connection gives the connection of one of the router's services, and asks
// nothing.
func (r *Router) Connection(s Service) *Connection { return &Connection{r, s} }

// Connect gives the router's connection; of several the first that is up and
// has an address, else the first that is up, else the first that answers. An
// error means that none does.
func (r *Router) Connect(ctx context.Context) (*Connection, error) {
	if len(r.Services) == 1 {
		return r.Connection(r.Services[0]), nil
	}
	var up, answers *Connection
	var failed error
	for _, s := range r.Services {
		c := r.Connection(s)
		status, err := c.Status(ctx)
		if err != nil {
			failed = cmp.Or(failed, err)
			continue
		}
		if answers == nil {
			answers = c
		}
		if !status.Connected {
			continue
		}
		if up == nil {
			up = c
		}
		if _, err := c.ExternalAddress(ctx); err == nil {
			return c, nil
		}
	}
	switch {
	case up != nil:
		return up, nil
	case answers != nil:
		return answers, nil
	}
	return nil, failed
}

// Status is a connection's state, of GetStatusInfo. The texts are the router's.
type Status struct {
	Connected bool
	State     string        // "Connected", "Disconnected", …
	LastError string        // "ERROR_NONE", …
	Uptime    time.Duration // 0 also where the router doesn't say
}

// Status asks whether the connection is up.
func (c *Connection) Status(ctx context.Context) (Status, error) {
	result, err := c.call(ctx, "GetStatusInfo")
	if err != nil {
		return Status{}, err
	}
	values := result.values()
	return Status{
		Connected: strings.EqualFold(values["NewConnectionStatus"], "Connected"),
		State:     cut(values["NewConnectionStatus"]),
		LastError: cut(values["NewLastConnectionError"]),
		Uptime:    seconds(values["NewUptime"]),
	}, nil
}

// ErrNoExternalAddress is what ExternalAddress says of a router that answers
// and has no address on the Internet's side.
var ErrNoExternalAddress = errors.New("it has no address on the Internet's side")

// ExternalAddress asks for the router's address on the Internet's side, which
// is private where there is a second NAT behind it. What a router without an
// address says is ErrNoExternalAddress or a Fault: miniupnpd, on a private
// network itself, says ActionFailed.
func (c *Connection) ExternalAddress(ctx context.Context) (netip.Addr, error) {
	result, err := c.call(ctx, "GetExternalIPAddress")
	if err != nil {
		return netip.Addr{}, err
	}
	text := result.values()["NewExternalIPAddress"]
	addr, isLiteral := literal(text)
	switch {
	case text == "" || isLiteral && addr.IsUnspecified():
		return netip.Addr{}, fmt.Errorf("the router at %s: %w", c.Router.client.addr, ErrNoExternalAddress)
	case !isLiteral:
		return netip.Addr{}, fmt.Errorf("the router at %s gives %q as its address on the Internet's side, which is none", c.Router.client.addr, cut(text))
	}
	return addr, nil
}

// seconds reads a number of seconds; 0 also if it is none: routers leave it
// empty, or say "infinite".
func seconds(text string) time.Duration {
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		return 0
	}
	return time.Duration(n) * time.Second
}
