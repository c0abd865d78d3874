package cli

import (
	"context"
	"encoding/json"
	"runtime"
	"runtime/debug"
)

// Version is the version of btplan that this source is, or will become.
const Version = "0.1.0-dev"

func (r *run) version(context.Context, []string) int {
	platform := runtime.GOOS + "_" + runtime.GOARCH
	if r.json {
		raw, err := json.MarshalIndent(map[string]string{
			"btplan_version":  Version,
			"btplan_revision": revision(),
			"go_version":      runtime.Version(),
			"platform":        platform,
		}, "", "  ")
		if err != nil {
			panic(err) // strings always have a JSON form
		}
		say(r.Stdout, "%s\n", raw)
		return exitOK
	}
	text := "btplan v" + Version
	if at := revision(); at != "" {
		text += " (" + at + ")"
	}
	say(r.Stdout, "%s\non %s\n", text, platform)
	return exitOK
}

// revision is the commit that this program was built from, as the Go tool
// noted it; empty if it did not.
func revision() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	commit, modified := "", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			commit = s.Value[:min(len(s.Value), 12)]
		case s.Key == "vcs.modified" && s.Value == "true":
			modified = "+changes"
		}
	}
	return commit + modified
}
