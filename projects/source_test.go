package projects

import (
	"context"
	"embed"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/opencontainers/go-digest"

	"xtoo/projects/schema"
)

// sameTree is a tree that is on disk, in memory, or in a zip file's manner, with the same result.
var sameTree = map[string]string{
	"a/" + configName: "from: scratch\nvalues: {x: 1}\nscripts: [{name: n, script: s/n.sh, files: [data, one], scripts: [{name: m, run: 'echo {{ .values.x }}'}]}]\n",
	"a/s/n.sh":        "#!/bin/bash\n",
	"a/data/deep/x":   "x", "a/data/y": "y", "a/one": "1",
	"a/b/" + configName:      "scripts: [{name: n, script: ../s/n.sh}, {name: k, script: ../../shared.sh}]",
	"shared.sh":              "echo shared\n",
	".git/a/" + configName:   "not: ours",
	"a/.hid/b/" + configName: "not: ours",
}

func mapFS(files map[string]string) fstest.MapFS {
	out := fstest.MapFS{}
	for name, text := range files {
		out[name] = &fstest.MapFile{Data: []byte(text), Mode: 0o644}
	}
	return out
}

// inputs gives all components and files of a tree, by node.
func inputs(t *testing.T, tree *Tree, keep Keeper) map[string]*Inputs {
	t.Helper()
	out := map[string]*Inputs{}
	for _, q := range resolve(t, tree, Given{}).Projects {
		for _, n := range q.Nodes {
			in, err := n.Inputs(t.Context(), keep)
			if err != nil {
				t.Fatal(err)
			}
			out[q.Project.Tag+":"+n.Path] = in
		}
	}
	return out
}

// TestSources: where a tree comes from makes no difference to what its nodes are made from.
func TestSources(t *testing.T) {
	dir := workdir(t, sameTree)
	if err := os.Chmod(filepath.Join(dir, "a/data/deep/x"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("deep/x", filepath.Join(dir, "a/data/link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "a/data/empty"), 0o700); err != nil {
		t.Fatal(err)
	}
	made := mapFS(sameTree)
	made["a/data/deep/x"].Mode = 0o700
	made["a/data/link"] = &fstest.MapFile{Data: []byte("deep/x"), Mode: fs.ModeSymlink | 0o777}
	made["a/data/empty"] = &fstest.MapFile{Mode: fs.ModeDir | 0o755}
	var want map[string]*Inputs
	for _, s := range []Source{{Dir: dir}, {FS: os.DirFS(dir), Name: "dir"}, {FS: made, Name: "made:"}, {FS: made, Dir: "/somewhere"}} {
		tree, err := Load(s)
		if err != nil {
			t.Fatal(err)
		}
		if got := tags(tree.projects); got != "a a/b" || len(tree.Warnings) > 0 {
			t.Errorf("%s: projects %s, warnings %v", s.Name, got, tree.Warnings)
		}
		got := inputs(t, tree, nil)
		if want == nil {
			want = got
			var list []string
			for _, e := range got["a:n"].Files {
				list = append(list, e.Path+" "+e.Mode.String()+" "+e.Target)
			}
			if have := strings.Join(list, "|"); have != "data drwxr-xr-x |data/deep drwxr-xr-x |data/deep/x -rwxr-xr-x |data/empty drwxr-xr-x |data/link Lrwxrwxrwx deep/x|data/y -rw-r--r-- |one -rw-r--r-- " {
				t.Errorf("files %q", have)
			}
			continue
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: other inputs:\n%v\nwant\n%v", s.Name, got["a:n"], want["a:n"])
		}
	}
}

//go:embed *.go
var embedded embed.FS

// TestEmbedded: what the program holds has no modes and no links, and is declared like any other file.
func TestEmbedded(t *testing.T) {
	files := mapFS(map[string]string{"p/" + configName: "from: scratch\nscripts: [{name: n, run: x, files: [go]}]"})
	tree, err := Load(Source{FS: over{files, "p/go", embedded}, Name: "builtin:"})
	if err != nil {
		t.Fatal(err)
	}
	in := inputs(t, tree, nil)["p:n"]
	if len(in.Files) < 20 || in.Files[0].Path != "go" || in.Files[1].Mode != 0o644 || in.Files[1].Size == 0 {
		t.Errorf("files %v", in.Files)
	}
}

// over shows one file system at a place in another.
type over struct {
	fs.FS
	at  string
	top fs.FS
}

func (o over) Open(name string) (fs.File, error) {
	if name == o.at {
		return o.top.Open(".")
	}
	if rest, ok := strings.CutPrefix(name, o.at+"/"); ok {
		return o.top.Open(rest)
	}
	return o.FS.Open(name)
}

// TestSourcePositions: errors are where the caller's name says.
func TestSourcePositions(t *testing.T) {
	files := mapFS(map[string]string{"kantoo/" + configName: "from: scratch\n\nfoo: 1\nscripts: [{name: a, script: no.sh, files: [gone]}]\n"})
	for name, want := range map[string]string{"builtin:": "builtin:kantoo/", "made": "made/kantoo/", "": "kantoo/"} {
		_, err := Load(Source{FS: files, Name: name})
		text := ""
		if err != nil {
			text = err.Error()
		}
		for _, w := range []string{":3:1: unknown key \"foo\"", ":4:29: there is no script \"no.sh\" (looked for " + want + "no.sh)", ":4:44: there is no file or directory \"gone\" (looked for " + want + "gone)"} {
			if i := strings.Index(text, w); i < 0 || !strings.Contains(text, want+configName+w[:4]) {
				t.Errorf("%q: %s\nwant %s", name, text, w)
			}
		}
	}
	if _, err := Load(Source{FS: fstest.MapFS{}, Name: "builtin:"}); !errors.Is(err, errNoProjects) || !strings.HasPrefix(err.Error(), "builtin:: there is no project") {
		t.Error(err)
	}
	tree, err := Load(Source{FS: mapFS(map[string]string{"a/" + configName: "from: scratch"}), Name: "builtin:"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tree.Select([]string{"./a"}, "/"); err == nil || !strings.Contains(err.Error(), `there is no project "./a" in builtin:`) {
		t.Error(err)
	}
	if got, err := tree.Select([]string{"a/"}, "/"); err != nil || len(got) != 1 || got[0].Dir != "builtin:a" {
		t.Error(got, err)
	}
}

// TestHostPathsWithoutDisk: what is of this machine needs a directory to start from, or a whole path.
func TestHostPathsWithoutDisk(t *testing.T) {
	t.Setenv("HOME", "/home/x")
	const config = "stage3: s.tar\nvolumes: [{source: ../v, target: /v}, {source: ~/w, target: /w}, {source: /abs, target: /a}]\noutputs: {sif: p.sif}\nscripts: [{name: a, run: x}]"
	files := mapFS(map[string]string{"p/" + configName: config})
	tree, err := Load(Source{FS: files, Name: "made:", Dir: "/base"})
	if err != nil {
		t.Fatal(err)
	}
	q := resolve(t, tree, Given{}).Projects[0]
	got := []string{q.Base.Path, q.Outputs[OutputSIF]}
	for _, v := range q.Nodes[0].Volumes {
		got = append(got, v.Source)
	}
	if have := strings.Join(got, " "); have != "/base/p/s.tar /base/p/p.sif /abs /base/v /home/x/w" {
		t.Errorf("paths %s", have)
	}
	_, err = Load(Source{FS: files, Name: "made:"})
	want := []string{
		`made:p/.xtoo-config.yaml:1:9: "s.tar" is relative, and this tree is in no directory of this machine`,
		`made:p/.xtoo-config.yaml:2:20: "../v" is relative`,
	}
	var list *schema.Errors
	if !errors.As(err, &list) || len(list.List) != 2 {
		t.Fatal(err)
	}
	for i, p := range list.List {
		if !strings.HasPrefix(p.Error(), want[i]) || p.Hint != "write the path out, or begin it with ~/" {
			t.Errorf("%v (%s)", p, p.Hint)
		}
	}
	tree, err = Load(Source{FS: mapFS(map[string]string{"p/" + configName: "from: scratch\noutputs: {sif: '{{ .project.name }}.sif'}"}), Name: "made:"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err = tree.Resolve(tree.projects, Given{}); err == nil || !strings.Contains(err.Error(), `made:p/.xtoo-config.yaml:2:16: "p.sif" is relative`) {
		t.Error(err)
	}
	for _, script := range []string{"/etc/profile", "~/x", "../../x", "../.."} {
		_, err := Load(Source{FS: mapFS(map[string]string{"p/" + configName: "from: scratch\nscripts: [{name: a, script: " + script + "}]"}), Name: "made:"})
		if err == nil || !strings.Contains(err.Error(), "made:p/.xtoo-config.yaml:2:29: script \""+script+"\": this tree is in no directory") {
			t.Errorf("%s: %v", script, err)
		}
	}
}

// TestDiskOnly: on disk scripts may be anywhere, names need not be text, and links lead where the machine says.
func TestDiskOnly(t *testing.T) {
	outside := workdir(t, map[string]string{"s.sh": "echo out\n", "d/x": "x"})
	dir := workdir(t, map[string]string{"w/p/" + configName: "from: scratch\nscripts: [{name: a, script: " + outside + "/s.sh, files: [ext, odd]}, {name: b, script: ../../near.sh}, {name: c, script: back.sh}]", "near.sh": "echo near\n", "w/own.sh": "echo own\n"})
	for link, target := range map[string]string{"w/p/ext": filepath.Join(outside, "d"), "w/p/back.sh": "../own.sh"} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Join(dir, "w/p/odd/\xff"), 0o755); err != nil {
		t.Fatal(err)
	}
	tree, err := loadDir(filepath.Join(dir, "w"))
	if err != nil {
		t.Fatal(err)
	}
	var warnings []string
	for _, w := range tree.Warnings {
		warnings = append(warnings, w.Msg)
	}
	if len(warnings) != 2 || !strings.Contains(warnings[0], "s.sh\" is outside") || !strings.Contains(warnings[1], "../../near.sh\" is outside") {
		t.Errorf("warnings %q", warnings)
	}
	in := inputs(t, tree, nil)
	var list []string
	for _, e := range in["p:a"].Files {
		list = append(list, e.Path)
	}
	if got := strings.Join(list, " "); got != "ext ext/x odd odd/\xff" {
		t.Errorf("files %q", got)
	}
	if d := in["p:c"].Script.Digest; d != digest.FromString("echo own\n") {
		t.Errorf("script %s", d)
	}
}

// TestKeeper: the keeper gets every script and every declared file, its digests are those of the key, and its
// failure is told from that of a file.
func TestKeeper(t *testing.T) {
	dir := workdir(t, sameTree)
	tree, err := loadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := inputs(t, tree, nil)
	kept := map[digest.Digest]string{}
	keep := func(_ context.Context, open func() (io.ReadCloser, error)) (digest.Digest, int64, error) {
		r, err := open()
		if err != nil {
			return "", 0, err
		}
		data, err := io.ReadAll(r)
		if err := errors.Join(err, r.Close()); err != nil {
			return "", 0, err
		}
		d := digest.FromBytes(data)
		kept[d] = string(data)
		return d, int64(len(data)), nil
	}
	if got := inputs(t, tree, keep); !reflect.DeepEqual(got, want) {
		t.Errorf("keeping changes the inputs: %v, want %v", got["a:n"], want["a:n"])
	}
	for node, in := range want {
		if text := kept[in.Script.Digest]; int64(len(text)) != in.Script.Size || text == "" {
			t.Errorf("%s: the script was not kept", node)
		}
		for _, e := range in.Files {
			if text, ok := kept[e.Digest]; e.Mode.IsRegular() && (!ok || int64(len(text)) != e.Size) {
				t.Errorf("%s: %s was not kept", node, e.Path)
			}
		}
	}
	node := resolve(t, tree, Given{}).find("a").Nodes[1]
	// What is kept is what the key speaks of, even if the file changes while it is kept.
	changing := func(ctx context.Context, open func() (io.ReadCloser, error)) (digest.Digest, int64, error) {
		if err := os.WriteFile(filepath.Join(dir, "a/one"), []byte("2"), 0o600); err != nil {
			return "", 0, err
		}
		return keep(ctx, open)
	}
	in, err := node.Inputs(t.Context(), changing)
	if err != nil || in.Files[len(in.Files)-1].Digest != digest.FromString("2") {
		t.Errorf("%v, %v", in, err)
	}
	broken := errors.New("the disk is full")
	for name, bad := range map[string]Keeper{
		"fails": func(context.Context, func() (io.ReadCloser, error)) (digest.Digest, int64, error) {
			return "", 0, broken
		},
		"no digest": func(context.Context, func() (io.ReadCloser, error)) (digest.Digest, int64, error) { return "x", 0, nil },
		"another digest": func(context.Context, func() (io.ReadCloser, error)) (digest.Digest, int64, error) {
			return digest.NewDigestFromEncoded(digest.SHA512, strings.Repeat("a", 128)), 1, nil
		},
		"does not read files": func(context.Context, func() (io.ReadCloser, error)) (digest.Digest, int64, error) {
			return digest.FromString(""), 0, nil
		},
	} {
		_, err := node.Inputs(t.Context(), bad)
		if err == nil || errors.As(err, new(*schema.Errors)) || name == "fails" && !errors.Is(err, broken) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := os.Remove(filepath.Join(dir, "a/one")); err != nil {
		t.Fatal(err)
	}
	if _, err := node.Inputs(t.Context(), keep); !errors.As(err, new(*schema.Errors)) || !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), `read files "one": `+filepath.Join(dir, "a/one")) {
		t.Errorf("a file that is gone: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := node.Inputs(ctx, nil); !errors.Is(err, context.Canceled) || errors.As(err, new(*schema.Errors)) {
		t.Errorf("cancelled: %v", err)
	}
}
