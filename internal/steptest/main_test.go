package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"xtoo/projects"
)

// TestConfigs: the projects of all tests can be loaded, but for those that must fail.
func TestConfigs(t *testing.T) {
	tests, _, err := readTests(nil)
	if err != nil {
		t.Fatal(err)
	}
	work := t.TempDir()
	for _, root := range rootKinds() {
		if err := writeRoot(work, root, "/root.tar"); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range tests {
		if test.fails != "" {
			continue
		}
		if err := test.write(work); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := projects.Load(projects.Source{Dir: work}); err != nil {
		t.Error(err)
	}
}

// fakeXtoo is a program that says what xtoo would: of three tests of hostname one fails, and one changes something again.
const fakeXtoo = `#!/bin/sh
for tag; do
	case $tag in
	mini/hostname/openrc)
		echo '{"event":"output","project":"'$tag'","node":"after","text":"no such line"}'
		echo "xtoo: warning: mini/hostname/renames: is well" >&2
		echo "xtoo: error: /w/$tag/.xtoo-config.yaml:3:4: node after of project $tag: its script exited with code 1" >&2
		exit 3 ;;
	mini/hostname/refuses-spaces) echo "xtoo: error: two words does not match" >&2; exit 2 ;;
	esac
done
for tag; do
	case $tag in
	mini/hostname/renames) echo '{"event":"node","project":"'$tag'","node":"again","digest":"sha256:00"}' ;;
	mini/hostname/*) echo '{"event":"node","project":"'$tag'","node":"again"}' ;;
	esac
	echo '{"event":"image","project":"'$tag'","digest":"sha256:00"}'
done
`

func TestReports(t *testing.T) {
	xtoo := filepath.Join(t.TempDir(), "xtoo")
	if err := os.WriteFile(xtoo, []byte(fakeXtoo), 0o755); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	err := run(context.Background(), []string{"-xtoo", xtoo, "-mini", "/root.tar", "-steps", "hostname"}, &out)
	if err == nil || err.Error() != "2 failed" {
		t.Errorf("error %v", err)
	}
	for _, want := range []string{
		"--- PASS: hostname/refuses-spaces (mini)\n", "--- PASS: hostname/without-hosts (mini)\n",
		"--- FAIL: hostname/openrc (mini)\n    xtoo: error: /w/mini/hostname/openrc/.xtoo-config.yaml:3:4: node after", "\n    printed by after:\n    no such line\n",
		"--- FAIL: hostname/renames (mini)\n    the second time, the step changed something again",
		"4 tests executed, 2 failed, 2 left out for want of their root\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}

func TestWrongFlags(t *testing.T) {
	for _, args := range [][]string{{}, {"-mini", "x", "y"}, {"-mini", "x", "-steps", "hostnam"}} {
		if err := run(context.Background(), args, &bytes.Buffer{}); err == nil {
			t.Errorf("%q is taken", args)
		}
	}
}
