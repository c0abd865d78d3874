package remote

import (
	"fmt"
	"io"
	"time"
)

// maxSilence is how many times in a row a connection may be asked in vain.
const maxSilence = 3

// keepAlive asks the other side for a sign of life again and again, until the
// connection has ended, and ends it when nothing at all came from there for
// long. Whatever comes is a sign: an answer can be stuck behind a script's
// output.
func (c *connection) keepAlive(every time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	answered := make(chan struct{}, 1)
	asked, silence, received := false, 0, c.conn.received.Load()
	for {
		select {
		case <-c.ended:
			return
		case <-answered:
			asked = false
			continue
		case <-ticker.C:
		}
		if now := c.conn.received.Load(); now != received {
			received, silence = now, 0
		} else if asked {
			silence++
		}
		if silence == maxSilence {
			c.giveUp(&silentError{c.to, maxSilence * every})
			return
		}
		if !asked {
			asked = true
			go func() {
				// An error is the connection's end, which is noticed above.
				_, _, _ = c.client.SendRequest(keepAliveRequest, true, nil)
				answered <- struct{}{}
			}()
		}
	}
}

// keepAliveRequest is what OpenSSH's client asks for the same purpose. Every
// server answers a request that it doesn't know with a refusal (RFC 4254, 4).
const keepAliveRequest = "keepalive@openssh.com"

// silentError is a host from which nothing comes any more.
type silentError struct {
	target  Target
	silence time.Duration
}

func (e *silentError) Error() string {
	return fmt.Sprintf("the connection is lost: %s has not answered for %s", e.target, e.silence)
}

// Unwrap makes it an end of the connection like others.
func (e *silentError) Unwrap() error { return io.ErrUnexpectedEOF }
