package macos

import (
	"regexp"
	"strings"
)

// appState is macOS's application firewall, as socketfilterfw tells of it. Its
// words differ from one macOS to the next; those of 10.7 to 26 are known.
type appState struct {
	on       bool
	blockAll bool
	apps     map[string]bool // by path: whether connections to it are let in
}

var (
	appNumber  = regexp.MustCompile(`^\s*\d+\s*:\s*(/.*?)\s*$`)
	appVerdict = regexp.MustCompile(`^\s*\(\s*(Allow|Block) incoming connections\s*\)\s*$`)
	blockAll   = regexp.MustCompile(`(?i)block all state set to enabled|block all enabled|set to block all`)
)

// parseApp reads what --getglobalstate and --getblockall print, and the list
// of --listapps:
//
//	Total number of apps = 1
//	1 : /Applications/Transmission.app
//	             (Allow incoming connections)
func parseApp(state, list []byte) appState {
	a := appState{
		on:       strings.Contains(string(state), "State = 1") || strings.Contains(string(state), "State = 2"),
		blockAll: strings.Contains(string(state), "State = 2") || blockAll.Match(state),
		apps:     map[string]bool{},
	}
	path := ""
	for line := range strings.Lines(string(list)) {
		line = strings.TrimSuffix(line, "\n")
		if f := appNumber.FindStringSubmatch(line); f != nil {
			path = f[1]
		} else if f := appVerdict.FindStringSubmatch(line); f != nil && path != "" {
			a.apps[path] = f[1] == "Allow"
			path = ""
		}
	}
	return a
}

func (a appState) lets(program string) bool { return a.apps[program] }

func (a appState) blocks(program string) bool {
	lets, known := a.apps[program]
	return known && !lets
}
