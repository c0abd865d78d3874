// Package powershell has Windows PowerShell run scripts that never change, on
// data that does. Nothing is ever quoted into a script: what varies is JSON, and
// the script gets it as an argument.
//
// Script and data go through the standard input, for a command line has 8191
// characters. All of it is ASCII, as the answers should be: between a Windows
// and the world stand code pages.
package powershell

import (
	_ "embed"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf16"
)

//go:embed bootstrap.ps1
var bootstrap string

// Command is the program with its arguments that runs what [Input] gives it on
// its standard input. It works with PowerShell 2.0 (Windows 7) and later.
func Command() []string {
	return []string{"powershell.exe", "-NoLogo", "-NoProfile", "-NonInteractive", "-EncodedCommand", encode(bootstrap)}
}

// encode spells a script as -EncodedCommand takes it: Base64 of UTF-16,
// little-endian (about_PowerShell_exe).
func encode(script string) string {
	var b []byte
	for _, unit := range utf16.Encode([]rune(script)) {
		b = binary.LittleEndian.AppendUint16(b, unit)
	}
	return base64.StdEncoding.EncodeToString(b)
}

// dataLine ends a script.
const dataLine = "\n:data\n"

// Input is a script and, as JSON, the data that it gets as its first argument.
// The script has to be ASCII; a failure of JSON's is the caller's mistake. Both
// panic.
func Input(script string, data any) []byte {
	encoded, err := json.Marshal(data)
	if err != nil {
		panic("powershell: " + err.Error())
	}
	text := strings.TrimSuffix(script, "\n") + dataLine
	if strings.Count(text, dataLine) > 1 || strings.IndexFunc(text, func(r rune) bool { return r > '~' }) >= 0 {
		panic("powershell: a script is ASCII, and has no line :data")
	}
	return append([]byte(text), ascii(encoded)...)
}

// ascii writes what is not ASCII in JSON, which can only be in a string, as
// \u escapes.
func ascii(encoded []byte) []byte {
	var out []byte
	for _, r := range string(encoded) {
		if r < 0x7f {
			out = append(out, byte(r))
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			out = fmt.Appendf(out, `\u%04x`, unit)
		}
	}
	return append(out, '\n')
}
