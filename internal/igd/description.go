package igd

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/huin/goupnp"
	upnp "github.com/huin/goupnp/dcps/internetgateway2"

	"github.com/btplan/btplan/internal/plain"
)

// The services that map ports, best first. Those of the DSL Forum are what
// TR-064 modems have: the same actions, often behind a password.
var services = []string{
	upnp.URN_WANIPConnection_2,
	upnp.URN_WANIPConnection_1,
	upnp.URN_WANPPPConnection_1,
	"urn:dslforum-org:service:WANIPConnection:1",
	"urn:dslforum-org:service:WANPPPConnection:1",
}

// ErrNoService is what Fetch says of a device that maps no ports.
var ErrNoService = errors.New("no UPnP service there maps ports")

// fetch gets the description at t and makes the router of it.
func (c *client) fetch(ctx context.Context, t target) (*Router, error) {
	a, err := c.do(ctx, t, nil, nil)
	if err == nil && a.code != http.StatusOK {
		err = fmt.Errorf("HTTP status %s", plain.Line(cut(a.status)))
	}
	var r *Router
	if err == nil {
		r, err = parseDescription(a.body, c.origin, t)
	}
	if err != nil {
		return nil, fmt.Errorf("the description at %s: %w", t, err)
	}
	r.client = c
	return r, nil
}

// parseDescription reads a device description (Device Architecture 1.1,
// section 2.3), which came from t. Services whose URL can't be used are as
// good as absent, unless there are no others.
func parseDescription(document []byte, o origin, t target) (*Router, error) {
	// Numbers in words spoil goupnp's reading. It has some only in what is not
	// needed here.
	root := goupnp.RootDevice{}
	if err := xml.NewTokenDecoder(newTokens(document, "specVersion", "iconList")).Decode(&root); err != nil {
		return nil, fmt.Errorf("not a UPnP description: %w", xmlError(err))
	}
	base := t
	if text := strings.TrimSpace(root.URLBaseStr); text != "" {
		var err error
		if base, err = o.pin(text); err != nil {
			return nil, fmt.Errorf("its URLBase: %w", err)
		}
	}
	found, bad := mappingServices(&root.Device, o, base)
	switch {
	case len(found) == 0 && bad != nil:
		return nil, bad
	case len(found) == 0:
		return nil, ErrNoService
	}
	name := func(s string) string { return cut(strings.TrimSpace(s)) }
	return &Router{
		UDN:          name(root.Device.UDN),
		FriendlyName: name(root.Device.FriendlyName),
		Manufacturer: name(root.Device.Manufacturer),
		ModelName:    name(root.Device.ModelName),
		ModelNumber:  name(root.Device.ModelNumber),
		Location:     t.String(),
		Addr:         t.addr,
		Services:     found,
	}, nil
}

// mappingServices gives the services of a device and of those in it that map
// ports, best first, and what is wrong with one that can't be used.
func mappingServices(d *goupnp.Device, o origin, base target) (found []Service, bad error) {
	d.VisitServices(func(s *goupnp.Service) {
		kind := strings.TrimSpace(s.ServiceType)
		if !slices.Contains(services, kind) {
			return
		}
		control, err := o.pin(resolve(base, strings.TrimSpace(s.ControlURL.Str)))
		if err != nil {
			bad = fmt.Errorf("the control URL of its %s: %w", kind, err)
			return
		}
		service := Service{kind, cut(strings.TrimSpace(s.ServiceId)), control.String(), control}
		// Some routers list a service in two devices.
		if !slices.ContainsFunc(found, func(f Service) bool { return f.Type == kind && f.control == control }) {
			found = append(found, service)
		}
	})
	slices.SortStableFunc(found, func(a, b Service) int {
		return slices.Index(services, a.Type) - slices.Index(services, b.Type)
	})
	return found, bad
}

// resolve makes a control URL absolute. One without a slash in front is meant
// from the root, whatever RFC 3986 says: that is how routers' makers wrote it
// and how other clients read it.
func resolve(base target, text string) string {
	switch {
	case strings.Contains(text, "://"):
		return text
	case strings.HasPrefix(text, "//"):
		return "http:" + text
	}
	return "http://" + base.addr.String() + "/" + strings.TrimPrefix(text, "/")
}
