package main

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	commands := map[string]func(){"box": main}
	for _, name := range names() {
		commands[name] = main
	}
	testscript.Main(m, commands)
}

// TestScripts runs the scripts of testdata/script with a PATH on which every tool is this binary.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata/script"})
}

func TestNewMode(t *testing.T) {
	for _, c := range []struct {
		old  uint32
		mode string
		want uint32
	}{
		{0o644, "4755", 0o4755},
		{0o644, "+x", 0o755},
		{0o755, "-x", 0o644},
		{0o755, "u+s", 0o4755},
		{0o6755, "u-s,g-s", 0o755},
		{0o777, "g=,o=r", 0o704},
		{0o600, "a=rX", 0o444},
		{0o700, "a+rX", 0o755},
		{0o755, "+t", 0o1755},
	} {
		if got, err := newMode(c.old, c.mode); err != nil || got != c.want {
			t.Errorf("newMode(%o, %q) = %o, %v; want %o", c.old, c.mode, got, err, c.want)
		}
	}
	for _, bad := range []string{"", "rwx", "u+z", "q+x", "99"} {
		if got, err := newMode(0o644, bad); err == nil {
			t.Errorf("newMode(0644, %q) = %o and no error", bad, got)
		}
	}
}
