package host

import (
	"os/exec"
	"testing"
)

// Whatever is in the text, the shell that reads it runs none of it.
func TestHeredocOr(t *testing.T) {
	for _, text := range []string{"", "a\n", "a $(echo no) `echo no` \\", "a\nEND\necho no\n", "END", "END\nEND_\nEND__\n", "a END\nb\n"} {
		out, err := exec.Command("sh", "-c", "f() {\ncat "+HeredocOr(text)+"\n}\nf\n").CombinedOutput()
		want := text
		if want == "" || want[len(want)-1] != '\n' {
			want += "\n"
		}
		if err != nil || string(out) != want {
			t.Errorf("%q: got %q, %v", text, out, err)
		}
	}
	if out, err := exec.Command("sh", "-c", "f() {\ncat >/ "+HeredocOr("x")+"\necho no\n}\nf\n").Output(); err == nil || len(out) > 0 {
		t.Errorf("a failure is none: %q", out)
	}
}
