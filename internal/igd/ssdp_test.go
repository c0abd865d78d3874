package igd

import (
	"testing"
)

func TestSearchFor(t *testing.T) {
	want := "M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: \"ssdp:discover\"\r\nMX: 1\r\nST: upnp:rootdevice\r\nUSER-AGENT: btplan/1 UPnP/1.1\r\n\r\n"
	if got := string(searchFor("upnp:rootdevice", multicastAll)); got != want {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

func TestParseLocation(t *testing.T) {
	for packet, want := range map[string]string{
		at("http://192.168.1.1:5000/d"):                     "http://192.168.1.1:5000/d",
		"HTTP/1.1 200 OK\r\nLOCATION:http://a/\r\n":         "http://a/",
		"http/1.0 200 ok\nlocation : http://a/ \n\n":        "http://a/",
		"HTTP/1.1 200\r\nST\r\n: \r\nLOCATION: http://a/":   "http://a/",
		"HTTP/1.1 200 OK\r\nLOCATION: a\r\nLOCATION: b\r\n": "a",
		"HTTP/1.1 200 OK\r\nX-LOCATION: a\r\n\r\n":          "",
		"HTTP/1.1 404 Not Found\r\nLOCATION: http://a/\r\n": "",
		"NOTIFY * HTTP/1.1\r\nLOCATION: http://a/\r\n":      "",
		"M-SEARCH * HTTP/1.1\r\nLOCATION: http://a/\r\n":    "",
		"LOCATION: http://a/\r\n":                           "",
		"":                                                  "",
		"\x00\xff\r\n":                                      "",
	} {
		if got := parseLocation([]byte(packet)); got != want {
			t.Errorf("%q: %q, want %q", packet, got, want)
		}
	}
}
