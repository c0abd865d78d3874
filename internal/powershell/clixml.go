package powershell

import (
	"encoding/xml"
	"regexp"
	"strconv"
	"strings"
)

// clixmlHead begins the standard error of a powershell.exe that takes its
// reader for another PowerShell.
const clixmlHead = "#< CLIXML"

// Message gives the text of a standard error, which may be in CLIXML: then the
// strings of its error stream ([MS-PSRP], 2.2.5.1.1 has their escapes). What
// can't be read as that stays as it is.
func Message(stderr string) string {
	before, body, found := strings.Cut(stderr, clixmlHead)
	if !found {
		return stderr
	}
	var objects struct {
		Strings []struct {
			Stream string `xml:"S,attr"`
			Text   string `xml:",chardata"`
		} `xml:"S"`
	}
	if err := xml.Unmarshal([]byte(strings.TrimSpace(body)), &objects); err != nil {
		return stderr
	}
	var b strings.Builder
	b.WriteString(before)
	for _, s := range objects.Strings {
		if s.Stream == "Error" {
			b.WriteString(unescape(s.Text))
		}
	}
	return b.String()
}

var escaped = regexp.MustCompile(`_x[0-9A-Fa-f]{4}_`)

func unescape(s string) string {
	return escaped.ReplaceAllStringFunc(s, func(code string) string {
		n, err := strconv.ParseUint(code[2:6], 16, 16)
		if err != nil {
			panic("powershell: four hexadecimal digits: " + err.Error())
		}
		return string(rune(n))
	})
}
