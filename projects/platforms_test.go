package projects

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"xtoo/projects/ask"
	"xtoo/qemu"
)

// labels names what is planned, in order.
func labels(plan *Plan) string {
	var out []string
	for _, q := range plan.Projects {
		out = append(out, q.Label())
	}
	return strings.Join(out, " ")
}

// planned finds a planned project by its label.
func planned(t *testing.T, plan *Plan, label string) *PlannedProject {
	t.Helper()
	for _, q := range plan.Projects {
		if q.Label() == label {
			return q
		}
	}
	t.Fatalf("the plan has no %s: %s", label, labels(plan))
	return nil
}

func arch(t *testing.T, name string) qemu.Arch {
	t.Helper()
	a, err := qemu.Lookup(name, "")
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// board is a tree below a root with three stage3s, and a root with one.
func board(t *testing.T) *Tree {
	t.Helper()
	tree, err := loadDir(workdir(t, map[string]string{
		"a/" + configName: `
stage3:
  - {file: pi.tar, arch: arm-64bit, subarch: raspi4}
  - {file: pc.tar, arch: amd64}
  - {file: old.tar, arch: arm-32bit, subarch: raspi2}
exclude: [/x]
values:
  kernel:
    default: linux
    arch: {arm-64bit: pi64, arm: arm32, linux/arm/v7: armv7, arm-64bit/raspi3_64: wrong}
  jobs: {arch: {amd64: 16, arm-64bit: 4, arm: "{{ .values.few }}"}}
  few: 2
  pkgs: {default: [a, b], arch: {raspi4: [c]}}
  pw: {secret: true, default: none, arch: {arm64: swordfish, arm: "sword{{ \"\" }}fish"}}
env: {E: "{{ .values.kernel }}-{{ .arch }}"}
scripts: [{name: n, run: "echo {{ .subarch }} {{ .values.kernel }}"}]
outputs: {sif: "{{ .project.name }}.sif"}
`,
		"a/b/" + configName: `
values: {kernel: {arch: {arm-64bit: "{{ .values.kernel }}-b"}}}
scripts: [{name: m, run: x}]
outputs: {sif: "{{ .arch }}-{{ .subarch }}.img"}
`,
		"z/" + configName: "from: {image: scratch, arch: riscv64}\nscripts: [{name: n, run: x}]",
	}))
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func TestSeveralBases(t *testing.T) {
	tree := board(t)
	if got := strings.Join(tree.Platforms(), " "); got != "arm-32bit/raspi2 arm-64bit/raspi4 riscv-64bit/sifive-fu740 x86-64bit/generic_64" {
		t.Errorf("platforms %s", got)
	}
	plan := resolve(t, tree, Given{})
	want := "a[arm-64bit/raspi4] a[x86-64bit/generic_64] a[arm-32bit/raspi2] a/b[arm-64bit/raspi4] a/b[x86-64bit/generic_64] a/b[arm-32bit/raspi2] z"
	if got := labels(plan); got != want {
		t.Fatalf("plan %s\nwant %s", got, want)
	}
	if z := plan.find("z"); z.Several || z.Platform() != "" || z.OutputName(OutputSIF) != "z.sif" || z.Base != tree.find("z").Bases[0] {
		t.Errorf("z: %+v", z)
	}
	for _, c := range []struct{ platform, values, env, body, sif, below, sifBelow string }{
		{"arm-64bit/raspi4", "few=2 jobs=4 kernel=pi64 pkgs=c", "E=pi64-arm-64bit", "echo raspi4 pi64", "a-arm-64bit-raspi4.sif", "pi64-b", "arm-64bit-raspi4.img"},
		{"x86-64bit/generic_64", "few=2 jobs=16 kernel=linux pkgs=a b", "E=linux-x86-64bit", "echo generic_64 linux", "a-x86-64bit-generic_64.sif", "linux", "x86-64bit-generic_64.img"},
		{"arm-32bit/raspi2", "few=2 jobs=2 kernel=armv7 pkgs=a b", "E=armv7-arm-32bit", "echo raspi2 armv7", "a-arm-32bit-raspi2.sif", "armv7", "arm-32bit-raspi2.img"},
	} {
		q, below := planned(t, plan, "a["+c.platform+"]"), planned(t, plan, "a/b["+c.platform+"]")
		if below.Parent != q || q.Base.Project != q.Project || below.Base != q.Base || !below.Several || q.Arch.String() != c.platform {
			t.Errorf("%s is not linked: %+v", c.platform, below)
		}
		var values []string
		for _, name := range []string{"few", "jobs", "kernel", "pkgs"} {
			values = append(values, name+"="+q.values[name].String())
		}
		env := strings.Join(q.Nodes[0].Environ(), "\n")
		if got := strings.Join(values, " "); got != c.values || q.values["jobs"].typ != typeInt || q.values["pkgs"].typ != typeList {
			t.Errorf("%s: values %s, want %s", c.platform, got, c.values)
		}
		for _, e := range []string{c.env, "XTOO_PLATFORM=" + q.Arch.PlatformString(), "CHOST=" + q.Arch.CHOST, "XTOO_SUBARCH=" + q.Arch.Subarch} {
			if !strings.Contains("\n"+env+"\n", "\n"+e+"\n") {
				t.Errorf("%s: no %s in\n%s", c.platform, e, env)
			}
		}
		if string(q.Nodes[0].body) != c.body || below.values["kernel"].String() != c.below {
			t.Errorf("%s: script %q, below %s", c.platform, q.Nodes[0].body, below.values["kernel"])
		}
		if q.Outputs[OutputSIF] != filepath.Join(tree.from.dir, "a", c.sif) || q.OutputName(OutputSIF) != c.sif || below.Outputs[OutputSIF] != filepath.Join(tree.from.dir, "a/b", c.sifBelow) {
			t.Errorf("%s: SIF %s %s %s", c.platform, q.Outputs[OutputSIF], q.OutputName(OutputSIF), below.Outputs[OutputSIF])
		}
		if s := q.values["pw"].secret; s == nil || (s.Reveal() == "swordfish") != strings.HasPrefix(c.platform, "arm") {
			t.Errorf("%s: secret %v", c.platform, s)
		}
	}
	if s := string(tree.find("a").Source); strings.Contains(s, "fish") || strings.Count(s, hidden) != 3 {
		t.Errorf("the source shows a secret: %s", s)
	}
	if len(tree.Warnings) != 2 {
		t.Errorf("warnings %v", tree.Warnings)
	}
	// What is given counts on every platform.
	plan = resolve(t, tree, Given{Set: []string{"a:kernel=mine"}})
	if a, b := planned(t, plan, "a[arm-64bit/raspi4]"), planned(t, plan, "a/b[arm-64bit/raspi4]"); a.values["kernel"].String() != "mine" || b.values["kernel"].String() != "mine-b" {
		t.Errorf("given: %v %v", a.values["kernel"], b.values["kernel"])
	}
}

func TestPlatforms(t *testing.T) {
	tree := board(t)
	for _, c := range []struct {
		name      string
		platforms []string
		projects  []string
		want      string // what is planned, or the error
	}{
		{"one", []string{"arm-64bit/raspi4"}, nil, "a[arm-64bit/raspi4] a/b[arm-64bit/raspi4]"},
		{"the configuration's order", []string{"amd64", "arm64"}, []string{"a"}, "a[arm-64bit/raspi4] a[x86-64bit/generic_64]"},
		{"twice the same", []string{"arm64", "raspi4"}, []string{"a"}, "a[arm-64bit/raspi4]"},
		{"by OCI platform", []string{"linux/arm/v7", "linux/riscv64"}, nil, "a[arm-32bit/raspi2] a/b[arm-32bit/raspi2] z"},
		{"named", []string{"arm64"}, []string{"a/b"}, "a[arm-64bit/raspi4] a/b[arm-64bit/raspi4]"},
		{"of a plain root", []string{"riscv64"}, []string{"z"}, "z"},
		{"none", []string{"386"}, nil, `--platform 386: there is no such platform in the tree (the tree has arm-32bit/raspi2, arm-64bit/raspi4, riscv-64bit/sifive-fu740, x86-64bit/generic_64)`},
		{"none of what is named", []string{"amd64"}, []string{"z"}, `--platform amd64: nothing of what is to be built has this platform (it has riscv-64bit/sifive-fu740)`},
		{"not of all that are named", []string{"amd64"}, []string{"a", "z"}, `--platform amd64: project "z" has no such platform (it has riscv-64bit/sifive-fu740)`},
		{"one is wrong", []string{"amd64", "linux/arm/v6", "rapsi4"}, nil, "--platform linux/arm/v6: there is no such platform in the tree (the tree has arm-32bit/raspi2, arm-64bit/raspi4, riscv-64bit/sifive-fu740, x86-64bit/generic_64)\n" +
			`--platform "rapsi4": unknown architecture "rapsi4": did you mean "raspi4"?`},
		{"empty", []string{""}, nil, `--platform "": unknown architecture: no name given`},
	} {
		t.Run(c.name, func(t *testing.T) {
			selected, err := tree.Select(c.projects, "/")
			if err != nil {
				t.Fatal(err)
			}
			g := Given{Platforms: c.platforms, Named: len(c.projects) > 0}
			plan, err := tree.Resolve(selected, g)
			if err != nil {
				if !strings.HasPrefix(err.Error(), c.want) {
					t.Errorf("have %v\nwant %s", err, c.want)
				}
				if early := tree.Check(selected, g); early == nil || early.Error() != err.Error() {
					t.Errorf("early: %v", early)
				}
				return
			}
			if got := labels(plan); got != c.want {
				t.Errorf("have %s\nwant %s", got, c.want)
			}
		})
	}
}

// TestFoundArchitectures: what two stage3s of a root are for may come out when they are read.
func TestFoundArchitectures(t *testing.T) {
	tree, err := load(t, "stage3:\n- a.tar\n- b.tar\n- {file: c.tar, arch: riscv64}\nvalues: {v: {arch: {arm64: x}}, w: '{{ .values.v }}'}\nscripts: [{name: n, run: 'echo {{ .values.w }}'}]")
	if err != nil {
		t.Fatal(err)
	}
	p := tree.projects[0]
	a, b := p.Bases[0], p.Bases[1]
	// Too early for complaints about platforms; but not about values where the architecture is known.
	if err := tree.Check(tree.projects, Given{Platforms: []string{"arm64"}, Named: true}); err != nil {
		t.Errorf("early: %v", err)
	}
	var missing *MissingError
	if err := tree.Check(tree.projects, Given{}); !errors.As(err, &missing) || len(missing.list) != 1 || !strings.Contains(err.Error(), `value "v" of project "p" is not given for riscv-64bit/sifive-fu740: pass`) {
		t.Errorf("early: %v", err)
	}
	g := Given{Arch: map[*Base]qemu.Arch{a: arch(t, "arm64"), b: arch(t, "amd64")}}
	if _, err := tree.Resolve(tree.projects, g); !errors.As(err, &missing) || len(missing.list) != 1 || fmt.Sprint(missing.list[0].Platforms) != "[x86-64bit/generic_64 riscv-64bit/sifive-fu740]" {
		t.Errorf("missing once: %v", err)
	}
	g.Platforms = []string{"arm64"}
	if got := labels(resolve(t, tree, g)); got != "p[arm-64bit/arm64_generic]" {
		t.Errorf("plan %s", got)
	}
	g.Platforms, g.Set = nil, []string{"v=y"}
	if got := labels(resolve(t, tree, g)); got != "p[arm-64bit/arm64_generic] p[x86-64bit/generic_64] p[riscv-64bit/sifive-fu740]" {
		t.Errorf("plan %s", got)
	}
	g.Arch[b] = arch(t, "raspi4")
	want := ":3:3: arm-64bit/raspi4 and arm-64bit/arm64_generic, in line 2, are both for the platform linux/arm64/v8, and a tag has one image for each platform | declare arch and subarch"
	if _, err := tree.Resolve(tree.projects, g); err == nil || len(problemsOf(t, err)) != 1 || !strings.HasPrefix(problemsOf(t, err)[0], want) {
		t.Errorf("two of one platform: %v", err)
	}
	if _, err := tree.Resolve(tree.projects, Given{}); err == nil || !strings.Contains(err.Error(), `value "v" has defaults of single architectures, but the architecture is not known`) {
		t.Errorf("unknown: %v", err)
	}
}

// TestOnceForAllPlatforms: what is wrong on every platform is told once.
func TestOnceForAllPlatforms(t *testing.T) {
	tree, err := load(t, "from: [{image: scratch, arch: arm64}, {image: scratch, arch: amd64}, {image: scratch, arch: 386}]\n"+
		"values: {i: 3, b: true, s: , t: {default: '{{ .values.i }}', choices: [x]}}\nscripts: [{name: n, run: '{{ if .values.b }}#!x{{ end }}'}]\noutputs: {sif: '{{ .arch | lower | printf \"%.3s\" }}.sif'}")
	if err != nil {
		t.Fatal(err)
	}
	_, err = tree.Resolve(tree.projects, Given{Set: []string{"i=x", "b=maybe"}})
	if got := problemsOf(t, err); len(got) != 2 {
		t.Errorf("%q", got)
	}
	_, err = tree.Resolve(tree.projects, Given{Set: []string{"i=4"}})
	if got := problemsOf(t, err); len(got) != 1 || !strings.Contains(got[0], `default of value "t": "4" is none of the choices`) {
		t.Errorf("%q", got)
	}
	var missing *MissingError
	_, err = tree.Resolve(tree.projects, Given{Set: []string{"t=x"}})
	if !errors.As(err, &missing) || len(missing.list) != 1 || missing.list[0].Platforms != nil {
		t.Errorf("%v", err)
	}
	_, err = tree.Resolve(tree.projects, Given{Set: []string{"t=x", "s=x"}})
	if got := problemsOf(t, err); len(got) != 2 || !strings.Contains(got[0], "its #! line") ||
		!strings.Contains(got[1], `projects "p[x86-64bit/generic_64]" and "p[x86-32bit/generic_32]" would both write `) {
		t.Errorf("%q", got)
	}
}

func TestSIFNames(t *testing.T) {
	for _, c := range []struct{ path, platform, want string }{
		{"a.sif", "", "a.sif"}, {"a", "", "a"},
		{"x/a.sif", "arm-64bit/raspi4", "x/a-arm-64bit-raspi4.sif"},
		{"x.sif/a.img", "arm-64bit/raspi4", "x.sif/a.img-arm-64bit-raspi4"},
	} {
		if got := OutputSIF.WithPlatform(c.path, c.platform); got != c.want {
			t.Errorf("%s for %s is %s", c.path, c.platform, got)
		}
	}
	files := map[string]string{
		"a/" + configName:                  "from: [{image: scratch, arch: raspi4}, {image: scratch, arch: amd64}]",
		"a-arm-64bit-raspi4/" + configName: "from: scratch",
	}
	_, err := loadDir(workdir(t, files))
	if got := problemsOf(t, err); len(got) != 1 || !strings.Contains(got[0], `two projects want one name: "a" and "a-arm-64bit-raspi4" would both be a-arm-64bit-raspi4.sif | rename`) {
		t.Errorf("%q", got)
	}
	// The same where the architecture is found only later.
	files["a/"+configName] = "from: ['oci:x:y', {image: scratch, arch: amd64}]"
	tree, err := loadDir(workdir(t, files))
	if err != nil {
		t.Fatal(err)
	}
	_, err = tree.Resolve(tree.projects, Given{Arch: map[*Base]qemu.Arch{tree.find("a").Bases[0]: arch(t, "raspi4")}})
	if got := problemsOf(t, err); len(got) != 1 || !strings.Contains(got[0], "two projects want one name") {
		t.Errorf("%q", got)
	}
}

// TestAnswers: what somebody is asked for one platform leaves the defaults of the others alone.
func TestAnswers(t *testing.T) {
	tree, err := loadDir(workdir(t, map[string]string{"a/" + configName: `
from: [{image: scratch, arch: amd64}, {image: scratch, arch: arm64}]
values: {kernel: {prompt: Kernel, arch: {arm64: rpi}}, n: {arch: {arm64: 3, amd64: y}}, m: {arch: {amd64: y, arm64: 3}}}
`}))
	if err != nil {
		t.Fatal(err)
	}
	plan := resolve(t, tree, Given{Answers: []ask.Answer{{Project: "a", Name: "kernel", Text: "deb"}}})
	for _, q := range plan.Projects {
		want := map[string]string{"amd64": "deb y y", "arm64": "rpi 3 3"}[q.Arch.Architecture]
		got := q.values["kernel"].String() + " " + q.values["n"].String() + " " + q.values["m"].String()
		if got != want || q.values["n"].typ != typeString || q.values["m"].typ != typeString {
			t.Errorf("%s: %s, want %s", q.Label(), got, want)
		}
	}
}

// TestArch: what a root does not declare comes from the engine, and is asked for where it is used.
func TestArch(t *testing.T) {
	tree, err := load(t, "stage3: s.tar\nscripts: [{name: a, run: 'echo {{ .arch }}'}]")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tree.Resolve(tree.projects, Given{}); err == nil || !strings.Contains(err.Error(), "architecture, which is not known") {
		t.Error(err)
	}
	early, err := load(t, "stage3: s.tar\nvalues: {a: '{{ .arch }}', b: '{{ .values.a }}', c: , d: ['{{ .arch }}']}\nscripts: [{name: a, run: x}]")
	if err != nil {
		t.Fatal(err)
	}
	var missing *MissingError
	if err := early.Check(early.projects, Given{}); !errors.As(err, &missing) || len(missing.list) != 1 || missing.list[0].Name != "c" {
		t.Errorf("before the architecture is known: %v", err)
	}
	if err := early.Check(early.projects, Given{Set: []string{"c=x"}}); err != nil {
		t.Errorf("before the architecture is known: %v", err)
	}
	if err := early.Check(early.projects, Given{Set: []string{"x=x"}}); err == nil {
		t.Error("an unknown value is not found early")
	}
	if _, err := early.Resolve(early.projects, Given{Set: []string{"c=x"}}); err == nil {
		t.Error("resolves without the architecture")
	}
	pi, err := qemu.Lookup("arm-32bit", "raspi2")
	if err != nil {
		t.Fatal(err)
	}
	plan := resolve(t, tree, Given{Arch: map[*Base]qemu.Arch{tree.projects[0].Bases[0]: pi}})
	if n := plan.Projects[0].Nodes[0]; string(n.body) != "echo arm-32bit" || plan.Projects[0].Arch != pi {
		t.Errorf("%q", n.body)
	}
}

// TestEndlessTemplates: what a template makes is bounded.
func TestEndlessTemplates(t *testing.T) {
	tree, err := load(t, "from: scratch\nscripts: [{name: a, run: '{{ range 100000000 }}xxxxxxxxxxxxxxxxxxxxxxxx{{ end }}'}]")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tree.Resolve(tree.projects, Given{}); err == nil || !strings.Contains(err.Error(), "makes more than") {
		t.Error(err)
	}
}
