package projects

import (
	"os"
	"path/filepath"
	"sort"
	"strings"
	"syscall"
	"testing"
	"time"
)

const inputsConfig = `
type: demo
stage3: {file: s.tar, arch: amd64}
values: {host: a, jobs: 3, pw: {secret: true}}
env: {FOO: "{{ .values.host }}"}
volumes: [{source: dist, target: /dist}]
scripts:
  - {name: one, run: "echo {{ .values.jobs }}", values: [host, pw], files: [d, f], scripts: [{name: two, script: s.sh, network: none}]}
`

var inputsFiles = map[string]string{
	"w/types/demo.yaml":  "description: a word",
	"w/types/other.yaml": "description: another",
	"w/p/" + configName:  inputsConfig,
	"w/p/s.sh":           "#!/bin/bash\necho\n",
	"w/p/d/x":            "x",
	"w/p/d/sub/y":        "y",
	"w/p/f":              "f",
}

// inputsOf gives, for each node, its components as "NAME" -> digest.
func inputsOf(t *testing.T, dir string, given Given) map[string]map[string]string {
	t.Helper()
	tree, err := loadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if given.Set == nil {
		given.Set = []string{"pw=long"}
	}
	plan := resolve(t, tree, given)
	out := map[string]map[string]string{}
	for _, p := range plan.Projects {
		for _, n := range p.Nodes {
			got, err := n.Inputs(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			in := got.Components
			if !sort.SliceIsSorted(in, func(i, j int) bool { return in[i].Name < in[j].Name }) {
				t.Errorf("inputs are not sorted: %v", in)
			}
			m := map[string]string{}
			for _, c := range in {
				if _, dup := m[c.Name]; dup {
					t.Errorf("component %s is there twice", c.Name)
				}
				m[c.Name] = string(c.Digest)
				if c.Secret != nil {
					m[c.Name] = c.Secret.Reveal()
				}
			}
			out[n.Path] = m
		}
	}
	return out
}

// changed lists the components that differ, over all nodes, as "NODE: NAME".
func changed(a, b map[string]map[string]string) string {
	var out []string
	for node := range b {
		names := map[string]bool{}
		for name := range a[node] {
			names[name] = true
		}
		for name := range b[node] {
			names[name] = true
		}
		for name := range names {
			if a[node][name] != b[node][name] {
				out = append(out, node+": "+name)
			}
		}
	}
	sort.Strings(out)
	return strings.Join(out, ", ")
}

// TestInputs: each change shows in the components that say so, and in no other.
func TestInputs(t *testing.T) {
	dir := filepath.Join(workdir(t, inputsFiles), "w")
	base := inputsOf(t, dir, Given{})
	var names []string
	for name := range base["one"] {
		names = append(names, name)
	}
	sort.Strings(names)
	if got, want := strings.Join(names, ","), "arch,env FOO,file d,file f,interpreter,network,node,project,script,secret pw,value host,volume /dist"; got != want {
		t.Errorf("components %s\nwant %s", got, want)
	}

	edit := func(old, now string) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			t.Helper()
			if !strings.Contains(inputsConfig, old) {
				t.Fatalf("%q is not there", old)
			}
			if err := os.WriteFile(filepath.Join(dir, "p", configName), []byte(strings.Replace(inputsConfig, old, now, 1)), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	write := func(name, text string) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			t.Helper()
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	must := func(f func(dir string) error) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			t.Helper()
			if err := f(dir); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, c := range []struct {
		name   string
		change func(t *testing.T, dir string)
		given  Given
		want   string
	}{
		{"nothing", nil, Given{}, ""},
		{"inline script", edit("echo {", "echo  {"), Given{}, "one: script"},
		{"script file", write("p/s.sh", "#!/bin/bash\necho 2\n"), Given{}, "one/two: script"},
		{"interpreter", write("p/s.sh", "#!/bin/sh\necho\n"), Given{}, "one/two: interpreter, one/two: script"},
		{"value in the environment", nil, Given{Set: []string{"pw=long", "host=b"}}, "one/two: env FOO, one/two: value host, one: env FOO, one: value host"},
		{"value in the script only", nil, Given{Set: []string{"pw=long", "jobs=4"}}, "one/two: value jobs, one: script"},
		{"value's type", edit("jobs: 3", "jobs: '3'"), Given{}, "one/two: value jobs"},
		{"secret", nil, Given{Set: []string{"pw=longer"}}, "one/two: secret pw, one: secret pw"},
		{"file", write("p/d/sub/y", "z"), Given{}, "one: file d"},
		{"new file", write("p/d/new", ""), Given{}, "one: file d"},
		{"renamed file", must(func(d string) error { return os.Rename(filepath.Join(d, "p/d/x"), filepath.Join(d, "p/d/z")) }), Given{}, "one: file d"},
		{"executable", must(func(d string) error { return os.Chmod(filepath.Join(d, "p/f"), 0o700) }), Given{}, "one: file f"},
		{"mode of a umask", must(func(d string) error { return os.Chmod(filepath.Join(d, "p/f"), 0o600) }), Given{}, ""},
		{"time", must(func(d string) error { return os.Chtimes(filepath.Join(d, "p/f"), time.Time{}, time.Unix(1, 0)) }), Given{}, ""},
		{"link for a file", must(func(d string) error {
			if err := os.Rename(filepath.Join(d, "p/d/x"), filepath.Join(d, "p/d-x")); err != nil {
				return err
			}
			return os.Symlink("../d-x", filepath.Join(d, "p/d/x"))
		}), Given{}, "one: file d"},
		{"the set itself as a link", must(func(d string) error {
			if err := os.Rename(filepath.Join(d, "p/d"), filepath.Join(d, "elsewhere")); err != nil {
				return err
			}
			return os.Symlink("../elsewhere", filepath.Join(d, "p/d"))
		}), Given{}, ""},
		{"volume", edit("target: /dist", "target: /dist, readonly: true"), Given{}, "one/two: volume /dist, one: volume /dist"},
		{"volume's source", edit("source: dist", "source: dost"), Given{}, "one/two: volume /dist, one: volume /dist"},
		{"network", edit("type: demo", "type: demo\nnetwork: none"), Given{}, "one: network"},
		{"arch", edit("arch: amd64", "arch: amd64, subarch: amd64-zen2"), Given{}, "one/two: arch, one: arch"},
		{"type", edit("type: demo", "type: other"), Given{}, "one/two: project, one: project"},
		{"stage3's name", edit("file: s.tar", "file: t.tar"), Given{}, ""}, // its content is the base's business
		{"comment", edit("type: demo", "# comment\ntype: demo"), Given{}, ""},
		{"node's name", edit("name: two", "name: three"), Given{}, "one/three: arch, one/three: env FOO, one/three: interpreter, one/three: network, one/three: node, one/three: project, one/three: script, one/three: secret pw, one/three: value host, one/three: value jobs, one/three: volume /dist"},
	} {
		t.Run(c.name, func(t *testing.T) {
			// In another directory, under another home: neither must show.
			t.Setenv("HOME", t.TempDir())
			dir := filepath.Join(workdir(t, inputsFiles), "w")
			if c.change != nil {
				c.change(t, dir)
			}
			if got := changed(base, inputsOf(t, dir, c.given)); got != c.want {
				t.Errorf("changed: %s\nwant: %s", got, c.want)
			}
		})
	}
}

func TestFileSets(t *testing.T) {
	dir := filepath.Join(workdir(t, inputsFiles), "w")
	if err := os.Symlink("/nowhere", filepath.Join(dir, "p/d/link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(dir, "p/d/sub/y"), 0o711); err != nil {
		t.Fatal(err)
	}
	tree, err := loadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	set := resolve(t, tree, Given{Set: []string{"pw=long"}}).Projects[0].Nodes[1].files[0]
	entries, err := set.entries(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Path+" "+e.Mode.String()+" "+e.Target)
	}
	want := "d drwxr-xr-x |d/link Lrwxrwxrwx /nowhere|d/sub drwxr-xr-x |d/sub/y -rwxr-xr-x |d/x -rw-r--r-- "
	if strings.Join(got, "|") != want {
		t.Errorf("have %q\nwant %q", strings.Join(got, "|"), want)
	}
	if entries[3].Size != 1 || entries[3].Digest.Validate() != nil {
		t.Errorf("file: %+v", entries[3])
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "p/d/fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := set.entries(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "neither a file nor a directory") {
		t.Errorf("fifo: %v", err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "p/d")); err != nil {
		t.Fatal(err)
	}
	_, err = resolve(t, tree, Given{Set: []string{"pw=long"}}).Projects[0].Nodes[1].Inputs(t.Context(), nil)
	if got := problemsOf(t, err); len(got) != 1 || !strings.HasPrefix(got[0], ":8:") {
		t.Errorf("gone: %q", got)
	}
}

// TestDigestOf: no two sequences of texts have one digest for want of a separator.
func TestDigestOf(t *testing.T) {
	seen := map[string][]string{}
	for _, parts := range [][]string{{}, {""}, {"", ""}, {"a"}, {"a", ""}, {"", "a"}, {"a", "b"}, {"ab"}, {"ab", ""}, {"a\x00b"}} {
		d := string(digestOf(parts...))
		if other, dup := seen[d]; dup {
			t.Errorf("%q and %q have the same digest", other, parts)
		}
		seen[d] = parts
	}
}
