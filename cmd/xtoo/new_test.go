package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestNewAsks: on a terminal it asks for what the type has words for, secrets aside; what is not answered stays as it was.
func TestNewAsks(t *testing.T) {
	b := newWork(t, map[string]string{"pi": "type: target\nfrom: {image: scratch, arch: arm-64bit, subarch: raspi4}\n"})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := b.command(ctx, "new", "kantoo", "pi/box")
	cmd.Env = withoutCI(cmd.Env)
	s := sit(t, cmd)
	s.answer("Host name", "")
	s.answer("Further packages (separated by commas): ", "a/b, c/d")
	if err := s.leave(); err != nil {
		t.Fatalf("%v\n%s", err, s.shown.String())
	}
	text, err := os.ReadFile(filepath.Join(b.work, "pi/box/.xtoo-config.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"\n  packages: [a/b, c/d]\n", "\n  # hostname: \"{{ .project.name }}\"\n", "\n  # root_password is a secret"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("there is no %q in\n%s", want, text)
		}
	}
	if strings.Contains(s.shown.String(), "Root password") {
		t.Error("it asks for a secret that it would have to write")
	}
}
