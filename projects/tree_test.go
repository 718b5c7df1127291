package projects

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"

	"xtoo/projects/schema"
)

func bigTree(t *testing.T) (*Tree, string) {
	t.Helper()
	dir := workdir(t, map[string]string{
		"x86-64bit/generic_64/" + configName:           "from: scratch",
		"x86-64bit/generic_64/host/" + configName:      "",
		"x86-64bit/generic_64/host/xdev/" + configName: "# nothing",
		"x86-64bit/generic_64-v3/" + configName:        "from: scratch",
		"arm-64bit/raspi4/plain/deep/" + configName:    "from: scratch",
		"zz/" + configName:                             "from: scratch",
		".git/hooks/" + configName:                     "not: ours",
		"x86-64bit/.cache/" + configName:               "not: ours",
	})
	tree, err := loadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return tree, dir
}

func tags(list []*Project) string {
	var out []string
	for _, p := range list {
		out = append(out, p.Tag)
	}
	return strings.Join(out, " ")
}

func TestTree(t *testing.T) {
	tree, dir := bigTree(t)
	want := "arm-64bit/raspi4/plain/deep x86-64bit/generic_64 x86-64bit/generic_64/host x86-64bit/generic_64/host/xdev x86-64bit/generic_64-v3 zz"
	if got := tags(tree.projects); got != want {
		t.Errorf("projects %s\nwant %s", got, want)
	}
	xdev := tree.find("x86-64bit/generic_64/host/xdev")
	if got := tags(xdev.chain()); got != "x86-64bit/generic_64 x86-64bit/generic_64/host x86-64bit/generic_64/host/xdev" {
		t.Errorf("chain %s", got)
	}
	if xdev.Root().Tag != "x86-64bit/generic_64" || xdev.name != "xdev" || xdev.parent.children[0] != xdev {
		t.Errorf("%+v", xdev)
	}
	if deep := tree.find("arm-64bit/raspi4/plain/deep"); deep.parent != nil || deep.Bases[0].Kind != BaseScratch || deep.Bases[0].Path != "" {
		t.Errorf("%+v", deep)
	}
	if len(tree.Warnings) != 0 {
		t.Errorf("warnings %v", tree.Warnings)
	}
	if string(xdev.Source) != "# nothing" || xdev.config != filepath.Join(dir, xdev.Tag, configName) {
		t.Errorf("source %q, config %s", xdev.Source, xdev.config)
	}
	if got := sifName(xdev.Tag, ""); got != "x86-64bit-generic_64-host-xdev.sif" {
		t.Error(got)
	}
}

func TestSelect(t *testing.T) {
	tree, dir := bigTree(t)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, cwd string
		names     []string
		want      string
	}{
		{"tag", "/", []string{"zz"}, "zz"},
		{"slash", "/", []string{"x86-64bit/generic_64/host/"}, "x86-64bit/generic_64/host"},
		{"order and twice", "/", []string{"zz", "x86-64bit/generic_64", "zz/"}, "x86-64bit/generic_64 zz"},
		{"relative", filepath.Join(dir, "x86-64bit"), []string{"generic_64/host", "./generic_64-v3"}, "x86-64bit/generic_64/host x86-64bit/generic_64-v3"},
		{"dot", filepath.Join(dir, "zz"), []string{"."}, "zz"},
		{"dotdot", filepath.Join(dir, "zz"), []string{"../x86-64bit/generic_64"}, "x86-64bit/generic_64"},
		{"absolute", "/", []string{filepath.Join(dir, "zz")}, "zz"},
		{"through a link", link, []string{"./zz"}, "zz"},
		{"tag before path", filepath.Join(dir, "x86-64bit/generic_64"), []string{"zz"}, "zz"},
		{"all", "/", nil, tags(tree.projects)},
	} {
		got, err := tree.Select(c.names, c.cwd)
		if err != nil || tags(got) != c.want {
			t.Errorf("%s: %s, %v", c.name, tags(got), err)
		}
	}
	for _, c := range []struct{ name, want string }{
		{"qqq", "its projects are "},
		{"x86-64bit/generic_46", `did you mean "x86-64bit/generic_64"?`},
		{"x86-64bit", "it is a directory of projects: name them, as in x86-64bit/generic_64"},
		{".", "it is a directory of projects"},
		{"../elsewhere", "there is no project"},
		{"", "there is no project"},
		{"/", "there is no project"},
	} {
		_, err := tree.Select([]string{c.name}, dir)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v", c.name, err)
		}
	}
	_, err := tree.Select([]string{"foo", "zz", "bar"}, dir)
	if got := problemsOf(t, err); len(got) != 2 {
		t.Errorf("two wrong names: %q", got)
	}
}

// TestLinks: symbolic links neither lead out nor in circles; odd files do not hang the walk.
func TestLinks(t *testing.T) {
	outside := workdir(t, map[string]string{"o/" + configName: "from: scratch"})
	dir := workdir(t, map[string]string{"a/" + configName: "from: scratch\nscripts: [{name: x, script: out.sh}]", "shared.yaml": "scripts: []"})
	for link, target := range map[string]string{"out": filepath.Join(outside, "o"), "a/loop": "..", "a/self": ".", "a/out.sh": filepath.Join(outside, "s.sh"), "dangling": "nowhere"} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(outside, "s.sh"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tree, err := loadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got := tags(tree.projects); got != "a" {
		t.Errorf("projects %s", got)
	}
	var warnings []string
	for _, w := range tree.Warnings {
		warnings = append(warnings, w.Msg)
	}
	want := []string{`the script "out.sh" is outside of the work directory`, "a symbolic link to a project is not followed", "a symbolic link to a project is not followed"}
	for _, w := range want {
		if !strings.Contains(strings.Join(warnings, "\n"), w) {
			t.Errorf("no warning %q in %q", w, warnings)
		}
	}
	// A configuration may be a link to a shared one.
	if err := os.Mkdir(filepath.Join(dir, "a/b"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../../shared.yaml", filepath.Join(dir, "a/b", configName)); err != nil {
		t.Fatal(err)
	}
	if tree, err = loadDir(dir); err != nil || tags(tree.projects) != "a a/b" {
		t.Error(err)
	}
	// A fifo is refused, not waited for.
	if err := os.Mkdir(filepath.Join(dir, "f"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "f", configName), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = loadDir(dir)
	if got := problemsOf(t, err); len(got) != 1 || !strings.Contains(got[0], "it is not a regular file") {
		t.Errorf("fifo: %q", got)
	}
}

func TestRelativeWorkDirectory(t *testing.T) {
	dir := workdir(t, map[string]string{"w/a/" + configName: "foo: 1"})
	t.Chdir(dir)
	_, err := loadDir("w")
	if err == nil || !strings.Contains(err.Error(), "w/a/"+configName+":1:1: unknown key") || strings.Contains(err.Error(), dir) {
		t.Errorf("positions must be as the work directory was given: %v", err)
	}
}

func TestBases(t *testing.T) {
	t.Setenv("HOME", "/home/somebody")
	for _, c := range []struct {
		config string
		want   Base
	}{
		{"stage3: ~/s.tar", Base{Kind: BaseStage3, Path: "/home/somebody/s.tar", Text: "~/s.tar"}},
		{"stage3: {file: /x/../s.tar}", Base{Kind: BaseStage3, Path: "/s.tar", Text: "/x/../s.tar"}},
		{"from: scratch", Base{Kind: BaseScratch, Text: "scratch"}},
		{"from: oci:../images:a/b:c", Base{Kind: BaseOCI, Path: "DIR/images", Ref: "a/b:c", Text: "oci:../images:a/b:c"}},
		{"from: {image: 'oci-archive:x.tar'}", Base{Kind: BaseOCIArchive, Path: "DIR/p/x.tar", Text: "oci-archive:x.tar"}},
		{"from: docker-archive:/x.tar:repo:tag", Base{Kind: BaseDockerArchive, Path: "/x.tar", Ref: "repo:tag", Text: "docker-archive:/x.tar:repo:tag"}},
	} {
		tree, err := load(t, c.config)
		if err != nil {
			t.Errorf("%s: %v", c.config, err)
			continue
		}
		got := *tree.projects[0].Bases[0]
		if got.Pos.Line != 1 || got.Project != tree.projects[0] || got.Several() {
			t.Errorf("%s: position %v", c.config, got.Pos)
		}
		got.Pos, got.Project = schema.Position{}, nil
		c.want.Path = strings.Replace(c.want.Path, "DIR", tree.from.dir, 1)
		if got != c.want {
			t.Errorf("%s: %+v, want %+v", c.config, got, c.want)
		}
	}
}

// TestOrder: depth first, children before their parent, in order.
func TestOrder(t *testing.T) {
	tree, err := load(t, `
from: scratch
scripts:
  - name: a
    run: x
    scripts:
      - {name: b, run: x, scripts: [{name: c, run: x}, {name: d, run: x}]}
      - {name: e, run: x}
  - {name: f, run: x}
`)
	if err != nil {
		t.Fatal(err)
	}
	p := resolve(t, tree, Given{}).Projects[0]
	var order []string
	for _, n := range p.Nodes {
		order = append(order, n.Path)
	}
	if got := strings.Join(order, " "); got != "a/b/c a/b/d a/b a/e a f" {
		t.Errorf("order %s", got)
	}
}

// TestInheritance: env, volumes and network reach the projects below and the nodes; the nearest counts.
func TestInheritance(t *testing.T) {
	tree, err := loadDir(workdir(t, map[string]string{
		"a/" + configName: `
from: scratch
network: none
env: {A: "{{ .project.name }}", B: a}
volumes: [{source: v, target: /v}, {source: w, target: /w}]
scripts: [{name: n, run: x}]
`,
		"a/b/" + configName: `
env: {B: b, PATH: /bin}
volumes: [{source: /w2, target: /w, readonly: true}]
scripts: [{name: n, run: x}, {name: m, run: x, network: host, env: {B: m}, volumes: [{source: ~/z, target: /z}, {source: y, target: /v/}]}]
`,
	}))
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("HOME", "/home/x")
	plan := resolve(t, tree, Given{})
	describe := func(n *Node) string {
		var out []string
		for _, e := range n.Environ() {
			if !strings.HasPrefix(e, "XTOO_") {
				out = append(out, e)
			}
		}
		for _, v := range n.Volumes {
			s := v.Target + "=" + strings.Replace(v.Source, tree.from.dir, "DIR", 1)
			if v.ReadOnly {
				s += ":ro"
			}
			out = append(out, s)
		}
		return strings.Join(append(out, string(n.Network)), " ")
	}
	for _, c := range []struct {
		node *Node
		want string
	}{
		{plan.Projects[0].Nodes[0], "A=a B=a /v=DIR/a/v /w=DIR/a/w none"},
		{plan.Projects[1].Nodes[0], "A=a B=b PATH=/bin /v=DIR/a/v /w=/w2:ro none"},
	} {
		if got := describe(c.node); got != c.want {
			t.Errorf("%s: %s\nwant %s", c.node.Path, got, c.want)
		}
	}
	m := plan.Projects[1].Nodes[1]
	if m.Network != NetworkHost || len(m.Volumes) != 3 || m.Volumes[0].Source != filepath.Join(tree.from.dir, "a/b/y") || !strings.Contains(strings.Join(m.Environ(), " "), " B=m ") && m.Environ()[1] != "B=m" {
		t.Errorf("node's own: %s", describe(m))
	}
}

func TestImage(t *testing.T) {
	tree, err := loadDir(workdir(t, map[string]string{
		"a/" + configName: `
from: scratch
values: {init: /sbin/init}
image: {entrypoint: ["{{ .values.init }}"], cmd: [a, 1], env: {LANG: C.UTF-8, N: "{{ .project.name }}"}, labels: {x: y}, ports: [22, 053/udp], user: nobody, workdir: /srv, volumes: [/d/], stop_signal: SIGINT}
outputs: {sif: "{{ .project.name }}.sif"}
`,
		"a/b/" + configName: "image: {cmd: [], env: {N: b, A: z}, labels: {x: z, w: 1}, ports: [], user: ''}\noutputs: {sif: /out/b.sif}",
		"a/c/" + configName: "",
	}))
	if err != nil {
		t.Fatal(err)
	}
	plan := resolve(t, tree, Given{})
	text := func(s string) *string { return &s }
	want := ImageSettings{
		Entrypoint: []string{"/sbin/init"}, Cmd: []string{"a", "1"}, Env: map[string]string{"LANG": "C.UTF-8", "N": "a"},
		Labels: map[string]string{"x": "y"}, Ports: []string{"22/tcp", "53/udp"}, Volumes: []string{"/d"},
		User: text("nobody"), WorkDir: text("/srv"), StopSignal: text("SIGINT"),
	}
	if got := plan.find("a").Image; !reflect.DeepEqual(got, want) {
		t.Errorf("have %+v\nwant %+v", got, want)
	}
	want = ImageSettings{
		Cmd: []string{}, Env: map[string]string{"N": "b", "A": "z"}, Labels: map[string]string{"x": "z", "w": "1"},
		Ports: []string{}, User: text(""),
	}
	if got := plan.find("a/b").Image; !reflect.DeepEqual(got, want) {
		t.Errorf("have %+v\nwant %+v", got, want)
	}
	if got := plan.find("a/c").Image; !(len(got.Env)+len(got.Labels) == 0 && got.Entrypoint == nil && got.Cmd == nil && got.Ports == nil && got.Volumes == nil && got.User == nil) {
		t.Errorf("an empty configuration says %+v", got)
	}
	if got := plan.find("a").Outputs[OutputSIF]; got != filepath.Join(tree.from.dir, "a/a.sif") {
		t.Errorf("sif %s", got)
	}
	if plan.find("a/b").Outputs[OutputSIF] != "/out/b.sif" || plan.find("a/c").Outputs[OutputSIF] != "" {
		t.Errorf("outputs are the project's own: %q %q", plan.find("a/b").Outputs[OutputSIF], plan.find("a/c").Outputs[OutputSIF])
	}
}

func TestSameSIF(t *testing.T) {
	tree, err := loadDir(workdir(t, map[string]string{
		"a/" + configName: "from: scratch\noutputs: {sif: /o/x.sif}", "b/" + configName: "from: scratch\noutputs: {sif: '/o/{{ \"x\" }}.sif'}",
		"c/" + configName: "from: scratch\noutputs: {sif: '{{ \"\" }}'}",
	}))
	if err != nil {
		t.Fatal(err)
	}
	_, err = tree.Resolve(tree.projects, Given{})
	for _, want := range []string{`projects "a" and "b" would both write /o/x.sif`, "names no file"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no %s in %v", want, err)
		}
	}
	if _, err := tree.Resolve(tree.projects[:1], Given{}); err != nil {
		t.Errorf("only what is selected is written: %v", err)
	}
}

// TestExamples: what the repository shows loads.
func TestExamples(t *testing.T) {
	for _, dir := range []string{"demo", "funtoo"} {
		tree, err := loadDir(filepath.Join("..", "examples", dir))
		if err != nil {
			t.Errorf("%s: %v", dir, err)
			continue
		}
		if len(tree.projects) < 3 {
			t.Errorf("%s: projects %s", dir, tags(tree.projects))
		}
	}
}
