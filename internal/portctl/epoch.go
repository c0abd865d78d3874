package portctl

import "time"

// Sighting is a server's clock at one moment of this computer's. The server's
// begins anew when it forgets its mappings: it was restarted, or has got
// another outside address.
type Sighting struct {
	Epoch uint32
	At    time.Time
}

// Lost says whether the server has forgotten its mappings between two
// sightings, as far as the clocks tell. It takes a clock for wrong that runs by
// more than a sixteenth faster or slower, as one does that was set meanwhile:
// then mappings are made again that are still there, which does no harm. It
// is the test of RFC 6887, section 8.5. That of RFC 6886, section 3.6, is the
// same but for a wider margin, and has none for a server's clock that is fast.
func (s Sighting) Lost(later Sighting) bool {
	// The differences are small enough to be exact in int64, unlike in uint32.
	server := int64(later.Epoch) - int64(s.Epoch)
	client := int64(later.At.Sub(s.At).Round(time.Second) / time.Second)
	const slack, part = 2, 16
	return server < -1 ||
		client+slack < server-server/part ||
		server+slack < client-client/part
}
