package engine

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"xtoo/internal/testutil"
	"xtoo/layers/store"
	"xtoo/projects"
)

// TestGoldenKeys: the keys of nodes. With other keys, every node that a user's store has is executed anew.
func TestGoldenKeys(t *testing.T) {
	k := goldenKeys(t)
	testutil.Golden(t, "key-plain", k["plain"].key)
	testutil.Golden(t, "key-declared", k["declared"].key)
	testutil.Golden(t, "key-declared-content", k["declared"].content)
	testutil.Golden(t, "key-secret", k["secret"].key)
}

// goldenTree is a project whose nodes declare all that a node can.
var goldenTree = map[string]string{
	"work/types/golden.yaml": "description: a type without anything",
	"work/next/.xtoo-config.yaml": `
type: golden
stage3: {file: stage3.tar.xz, arch: arm-64bit, subarch: raspi4}
values:
  host: {default: "ä b"}
  jobs: {default: 3}
  pw: {secret: true}
scripts:
  - {name: plain, run: echo plain, values: []}
  - name: declared
    script: scripts/declared.sh
    values: [host, jobs]
    env: {LANG: "de_DE.UTF-8", FOO: "{{ .values.host }}"}
    files: [tree, file]
    volumes: [{source: dist, target: /dist}, {source: dist, target: /ro, readonly: true}]
    network: none
  - {name: secret, run: cat /run/xtoo/secrets/pw, values: [pw]}
`,
	"work/next/scripts/declared.sh": "#!/bin/bash -e\necho {{ .values.jobs }} \"$XTOO_HOST\"\n",
	"work/next/tree/x":              "x",
	"work/next/tree/sub/ü":          "y\n",
	"work/next/file":                "file",
	"store/cache/secret-key":        "0123456789abcdef0123456789abcdef",
}

// goldenPair are the two keys of a node.
type goldenPair struct{ key, content digest.Digest }

// goldenKeys returns the keys of the nodes of goldenTree on two layers that nobody has, by the nodes' names.
func goldenKeys(t *testing.T) map[string]goldenPair {
	t.Helper()
	dir := t.TempDir()
	for name, text := range goldenTree {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Join(dir, "work/next/tree/x"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("x", filepath.Join(dir, "work/next/tree/link")); err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(filepath.Join(dir, "store"), store.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	tree, err := projects.Load(projects.Source{Dir: filepath.Join(dir, "work")})
	if err != nil {
		t.Fatal(err)
	}
	selected, err := tree.Select(nil, dir)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := tree.Resolve(selected, projects.Given{Set: []string{"pw=hunter2"}})
	if err != nil {
		t.Fatal(err)
	}
	p := plan.Projects[0]
	c, err := newChain(Foundation{
		Arch: p.Arch, Created: time.Unix(1655382896, 0),
		Layers: []Link{{DiffID: digest.FromString("stage3")}, {DiffID: digest.FromString("node")}},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	b := newBuild(plan, Options{Store: s}, false)
	all := map[string]goldenPair{}
	for _, n := range p.Nodes {
		in, err := b.readInputs(t.Context(), n, false)
		if err != nil {
			t.Fatal(err)
		}
		st := b.evaluate(p, n, in, c)
		all[n.Path] = goldenPair{st.key, st.content()}
		// Its key becomes part of the next one's; its layer does of the next one's content key.
		if c, err = c.after(st, nodeRecord{DiffID: digest.FromString(n.Path), Script: in.script.Digest}); err != nil {
			t.Fatal(err)
		}
	}
	return all
}
