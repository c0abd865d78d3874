package igd

import (
	"bytes"
	"io"
	"net/http"
	"testing"
	"time"

	upnp "github.com/huin/goupnp/dcps/internetgateway2"
)

// BenchmarkList reads a list of 119 mappings, entry by entry, and compares with
// the same calls made bare, in turns with it: "x-bare" is how many times as
// long it takes.
func BenchmarkList(b *testing.B) {
	f := newFake(b, upnp.URN_WANIPConnection_1)
	tb := table{entries: entries(6881, 60)[:119], end: InvalidIndex}
	f.do = tb.do
	c := f.connect(b)
	plain := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	bare := func(index string) {
		body := envelope(c.Service.Type, "GetGenericPortMappingEntry", []argument{{"NewPortMappingIndex", index}})
		request, err := http.NewRequestWithContext(b.Context(), http.MethodPost, c.Service.ControlURL, bytes.NewReader(body))
		if err != nil {
			b.Fatal(err)
		}
		request.Header.Set("SOAPACTION", `"`+c.Service.Type+`#GetGenericPortMappingEntry"`)
		response, err := plain.Do(request)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, response.Body); err != nil {
			b.Fatal(err)
		}
		if err := response.Body.Close(); err != nil {
			b.Fatal(err)
		}
	}
	var ours, theirs time.Duration
	for b.Loop() {
		began := time.Now()
		if list, err := c.List(b.Context()); err != nil || len(list) != 119 {
			b.Fatal(len(list), err)
		}
		ours += time.Since(began)
		began = time.Now()
		for i := range 120 {
			bare(number(uint16(i)))
		}
		theirs += time.Since(began)
	}
	b.ReportMetric(float64(ours)/float64(theirs), "x-bare")
}
