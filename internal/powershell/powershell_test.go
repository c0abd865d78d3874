package powershell

import (
	"encoding/json"
	"strings"
	"testing"
)

// cmd.exe, the default shell of Win32-OpenSSH, takes 8191 characters.
func TestCommand(t *testing.T) {
	if n := len(strings.Join(Command(), " ")); n > 8000 {
		t.Errorf("the command line has %d characters", n)
	}
	// The example of about_PowerShell_exe, but for its case.
	if got, want := encode("dir"), "ZABpAHIA"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// Whatever is in the data, it comes out as it went in, and as one line of ASCII.
func TestInput(t *testing.T) {
	data := []string{"é", "\U0001F980", "'; Remove-Item x #", "\n:data\n", "\u2028\x7f", `"$(x)"`}
	script, line, found := strings.Cut(string(Input("exit 0\n", data)), "\n:data\n")
	if !found || script != "exit 0" {
		t.Errorf("the script is %q", script)
	}
	for _, c := range []byte(strings.TrimSuffix(line, "\n")) {
		if c < ' ' || c > '~' {
			t.Fatalf("%q is not one line of ASCII", line)
		}
	}
	var got []string
	if err := json.Unmarshal([]byte(line), &got); err != nil || strings.Join(got, "|") != strings.Join(data, "|") {
		t.Errorf("got %q, %v", got, err)
	}
	for _, bad := range []string{"'é'", "a\n:data\nb"} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("the script %q is taken", bad)
				}
			}()
			Input(bad, nil)
		}()
	}
}

func TestMessage(t *testing.T) {
	for stderr, want := range map[string]string{
		"plain [x]\r\n": "plain [x]\r\n",
		"#< CLIXML\r\n" + `<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04"><Obj S="progress" RefId="0"><MS><I64 N="SourceId">1</I64></MS></Obj><S S="Error">Access is denied._x000D__x000A_</S><S S="verbose">no</S><S S="Error">At line:1_x000D__x000A_</S></Objs>`: "Access is denied.\r\nAt line:1\r\n",
		"#< CLIXML\r\n<Objs><S S=\"Error\">cut off": "#< CLIXML\r\n<Objs><S S=\"Error\">cut off",
	} {
		if got := Message(stderr); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func FuzzMessage(f *testing.F) {
	f.Add("#< CLIXML\r\n<Objs><S S=\"Error\">a_x000D_</S></Objs>")
	f.Fuzz(func(t *testing.T, stderr string) {
		if got := Message(stderr); !strings.Contains(stderr, clixmlHead) && got != stderr {
			t.Errorf("got %q from %q", got, stderr)
		}
	})
}
