package projects

import (
	"slices"
	"testing"
	"time"
)

// TestExecution: how scripts are executed is inherited, key by key; only what they see of it is in their inputs.
func TestExecution(t *testing.T) {
	tree, err := loadDir(workdir(t, map[string]string{
		"a/" + configName: `from: scratch
resolver: image
timeout: 1h30m
memory: 2g
tmpfs: {tmp: 8g, shm: 10%}
scripts: [{name: n, run: x}]
`,
		"a/b/" + configName: `pids: 100
tmpfs: {tmp: 64m}
scripts:
  - {name: n, run: x, network: none, resolver: host, timeout: 90s}
  - {name: m, run: x, resolver: host, memory: 1048576}
`,
	}))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]Node{
		"a n": {Network: NetworkHost, Resolver: ResolverImage, Limits: Limits{Timeout: 90 * time.Minute, Memory: 2 << 30, Tmpfs: Tmpfs{Tmp: "8g", Shm: "10%"}}},
		"a/b n": {Network: NetworkNone, Resolver: ResolverImage,
			Limits: Limits{Timeout: 90 * time.Second, Memory: 2 << 30, Pids: 100, Tmpfs: Tmpfs{Tmp: "64m", Shm: "10%"}}},
		"a/b m": {Network: NetworkHost, Resolver: ResolverHost,
			Limits: Limits{Timeout: 90 * time.Minute, Memory: 1 << 20, Pids: 100, Tmpfs: Tmpfs{Tmp: "64m", Shm: "10%"}}},
	}
	for _, q := range resolve(t, tree, Given{}).Projects {
		for _, n := range q.Nodes {
			name := q.Project.Tag + " " + n.Path
			w := want[name]
			if n.Network != w.Network || n.Resolver != w.Resolver || n.Limits != w.Limits {
				t.Errorf("%s: %s, %s, %+v", name, n.Network, n.Resolver, n.Limits)
			}
			has := slices.ContainsFunc(n.components(), func(c Component) bool { return c.Name == "resolver" })
			if has != (name == "a n") {
				t.Errorf("%s: the resolver is among its inputs: %v", name, has)
			}
		}
	}
}

// TestExecutionRefused: what means no time, size or number.
func TestExecutionRefused(t *testing.T) {
	for _, bad := range []string{"timeout: 0s", "timeout: 5", "timeout: 1d", "memory: 1.5g", "memory: 0", "pids: none", "pids: -1", "tmpfs: {tmp: 10mb}", "tmpfs: 8g", "resolver: none"} {
		if _, err := load(t, "from: scratch\n"+bad+"\n"); err == nil {
			t.Errorf("%s was taken", bad)
		}
	}
}
