package igd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"
)

const (
	// callTimeout is how long one HTTP call to a router may take.
	callTimeout = 5 * time.Second
	// resetPause is how long a router is left alone that closed a connection
	// on us: a small one does so while it is busy with another.
	resetPause = 500 * time.Millisecond
	// maxHeader is how long the header of an answer may be, in bytes.
	maxHeader = 64 << 10
	// userAgent has the form that the Device Architecture asks for (2.1); there
	// are routers that look for "UPnP" in it.
	userAgent = "btplan/1 UPnP/1.1"
)

// ErrUnanswered is in the error of a call to which no answer came: the router
// can't be reached, or closes the connection, or takes too long. What the
// network says is in it too.
var ErrUnanswered = errors.New("no answer")

// client makes HTTP calls to one router, one at a time, and to nobody else.
type client struct {
	origin
	http    http.Client
	turn    chan struct{} // holds a value while a call is under way
	onCall  func(action string)
	timeout time.Duration // of one call
	pause   time.Duration // after a reset
}

// newClient makes the client of the router at o. dial nil: this machine's own.
func newClient(o origin, dial Dial, onCall func(string)) *client {
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	return &client{
		origin: o,
		http: http.Client{
			Transport: &http.Transport{
				Proxy: nil, // also not that of the environment
				DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
					// The addresses of all URLs are o's; this holds it.
					if to, err := netip.ParseAddrPort(address); err != nil || to.Addr() != o.addr {
						return nil, fmt.Errorf("%s: %w", address, ErrAddress)
					}
					return dial(ctx, network, address)
				},
				// Many routers close after an answer without saying so.
				DisableKeepAlives:      true,
				DisableCompression:     true, // 1 MiB can unpack to a gigabyte
				MaxResponseHeaderBytes: maxHeader,
			},
			// A redirect is an answer like any other that isn't the one asked for.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		turn:    make(chan struct{}, 1),
		onCall:  onCall,
		timeout: callTimeout,
		pause:   resetPause,
	}
}

// answer is what a router answers to an HTTP call.
type answer struct {
	code   int
	status string
	body   []byte
}

// do makes a call, once more if the router closed the connection on it. All
// that is asked of a router can be asked twice. body nil: GET.
func (c *client) do(ctx context.Context, to target, header http.Header, body []byte) (answer, error) {
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return answer{}, context.Cause(ctx)
	}
	a, err := c.try(ctx, to, header, body)
	if !isReset(err) {
		return a, err
	}
	pause := time.NewTimer(c.pause)
	defer pause.Stop()
	select {
	case <-pause.C:
		return c.try(ctx, to, header, body)
	case <-ctx.Done():
		return answer{}, err
	}
}

// isReset reports whether the other side closed the connection before it had
// answered. Through SSH that is an end of file.
func isReset(err error) bool {
	for _, reset := range []error{syscall.ECONNRESET, syscall.EPIPE, io.EOF, io.ErrUnexpectedEOF} {
		if errors.Is(err, reset) {
			return true
		}
	}
	return false
}

func (c *client) try(ctx context.Context, to target, header http.Header, body []byte) (answer, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.timeout, fmt.Errorf("none within %s: %w", c.timeout, context.DeadlineExceeded))
	defer cancel()
	method := http.MethodGet
	if body != nil {
		method = http.MethodPost
	}
	request, err := http.NewRequestWithContext(ctx, method, to.String(), bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	if header != nil {
		request.Header = header.Clone()
	}
	request.Header.Set("User-Agent", userAgent)
	response, err := c.http.Do(request)
	if err != nil {
		return answer{}, callError(ctx, err)
	}
	defer func() { _ = response.Body.Close() }()
	a := answer{code: response.StatusCode, status: response.Status}
	a.body, err = io.ReadAll(io.LimitReader(response.Body, maxBody+1))
	if err != nil {
		return answer{}, callError(ctx, err)
	}
	if len(a.body) > maxBody {
		return answer{}, fmt.Errorf("an answer of more than %d KiB: %w", maxBody>>10, ErrAnswer)
	}
	return a, nil
}

// callError is err, of a call, without the URL, which its callers name, and
// with the reason for which the context ended it.
func callError(ctx context.Context, err error) error {
	if u := (*url.Error)(nil); errors.As(err, &u) {
		err = u.Err
	}
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	if errors.Is(err, context.Canceled) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrUnanswered, err)
}
