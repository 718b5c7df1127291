package projects

import (
	"slices"
	"sort"
	"strings"
	"testing"
	"time"
)

// TestChecks: a check sees the project's values and what it declares itself; nothing of what scripts have beside that, and no
// network unless it asks.
func TestChecks(t *testing.T) {
	dir := workdir(t, map[string]string{
		"a/" + configName: `from: scratch
env: {FOO: bar}
network: host
resolver: image
timeout: 1h
volumes: [{source: d, target: /d}]
values: {one: 1, two: "2"}
scripts: [{name: n, run: x}]
checks:
  - {name: all, run: "test {{ .values.one }}"}
  - {name: own, script: c.sh, values: [two], env: {BAR: "{{ .project.name }}"}, files: [d], network: host, timeout: 5s, user: ""}
`,
		"a/b/" + configName: "checks: [{name: low, run: y, user: www}]\n",
		"a/c.sh":            "#!/bin/bash -e\n", "a/d/f": "f",
	})
	tree, err := loadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	plan := resolve(t, tree, Given{})
	a := plan.find("a")
	if len(a.Checks) != 2 || len(a.Nodes) != 1 || len(plan.find("a/b").Checks) != 1 {
		t.Fatalf("checks %+v", a.Checks)
	}
	for i, want := range []struct {
		path, components string
		network          Network
		timeout          time.Duration
	}{
		{"all", "arch,interpreter,network,node,project,script,value one,value two", NetworkNone, time.Hour},
		{"own", "arch,env BAR,file d,interpreter,network,node,project,script,value two", NetworkHost, 5 * time.Second},
	} {
		c := a.Checks[i]
		in, err := c.Inputs(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, one := range in.Components {
			names = append(names, one.Name)
		}
		sort.Strings(names)
		if got := strings.Join(names, ","); c.Path != want.path || got != want.components || c.Network != want.network || c.Limits.Timeout != want.timeout || len(c.Volumes) > 0 {
			t.Errorf("check %s: %s, %s, %+v, %v", c.Path, got, c.Network, c.Limits, c.Volumes)
		}
		if slices.Contains(c.Environ(), "FOO=bar") {
			t.Errorf("check %s has the environment of scripts", c.Path)
		}
	}
	if all, own := a.Checks[0], a.Checks[1]; all.User != nil || own.User == nil || *own.User != "" || *plan.find("a/b").Checks[0].User != "www" || !slices.Contains(own.Environ(), "BAR=a") {
		t.Errorf("%v, %v, %q", all.User, own.User, own.Environ())
	}
	if offline := resolve(t, tree, Given{Offline: true}).find("a"); offline.Checks[1].Network != NetworkNone {
		t.Error("a check has a network, offline")
	}
}

// TestNamedChecks: a check of the library has its script and what it is to look at, one a line, and no values.
func TestNamedChecks(t *testing.T) {
	tree, err := loadDir(workdir(t, map[string]string{
		"a/" + configName: `from: scratch
values: {programs: {default: [vim, tmux]}, none: {default: []}, pw: {default: secret, secret: true}}
checks:
  - {name: words, check: {package: "{{ .values.programs }} less"}}
  - {name: list, check: {file: ["/a b", "/{{ .project.name }}"]}, user: ""}
  - {name: nothing, check: {group: "{{ .values.none }}"}}
`}))
	if err != nil {
		t.Fatal(err)
	}
	a := resolve(t, tree, Given{}).find("a")
	if len(a.Checks) != 2 {
		t.Fatalf("%d checks", len(a.Checks))
	}
	for i, want := range []string{"vim\ntmux\nless", "/a b\n/a"} {
		c := a.Checks[i]
		if !slices.Contains(c.Environ(), "WITH_ARGS="+want) || len(c.values) > 0 || len(c.Secrets()) > 0 || !strings.HasPrefix(string(c.body), "#!/bin/sh\nset -eu\n") {
			t.Errorf("check %s: %q, %v", c.Path, c.Environ(), c.values)
		}
	}
}

// TestChecksOfTypes: those of a type come before the project's, from where the type is; of two of one name it is said.
func TestChecksOfTypes(t *testing.T) {
	files := map[string]string{
		"types/base.yaml": "description: b\nchecks: [{name: base, script: b.sh}]\n", "types/base/b.sh": "#!/bin/sh\necho base\n",
		"types/ours.yaml": "description: o\nextends: base\nvalues: {user: {default: \"\"}}\nchecks: [{name: ours, check: {user: \"{{ .values.user }}\"}, when: user}]\n",
		"a/" + configName: "from: scratch\ntype: ours\nchecks: [{name: own, run: x}]\n",
	}
	names := func(g Given) (out []string) {
		t.Helper()
		tree, err := loadDir(workdir(t, files))
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range resolve(t, tree, g).find("a").Checks {
			out = append(out, c.Path)
		}
		return out
	}
	if got := strings.Join(names(Given{}), " "); got != "base own" {
		t.Errorf("without the value: %s", got)
	}
	if got := strings.Join(names(Given{Set: []string{"user=larry"}}), " "); got != "base ours own" {
		t.Errorf("with it: %s", got)
	}
	files["a/"+configName] += "values: {x: 1}\n"
	files["a/"+configName] = strings.Replace(files["a/"+configName], "name: own", "name: base", 1)
	_, err := loadDir(workdir(t, files))
	if got := problemsOf(t, err); len(got) != 1 || !strings.HasPrefix(got[0], `:3:10: the type "ours" has a check "base" already, in `) {
		t.Errorf("%q", got)
	}
}
