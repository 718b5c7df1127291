package projects

import (
	"os"
	"path/filepath"
	"testing"
)

// workdir makes a work directory of files, by path.
func workdir(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		p := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// find returns the planned project of a tag, the first where it is built for several platforms, or nil.
func (p *Plan) find(tag string) *PlannedProject {
	for _, q := range p.Projects {
		if q.Project.Tag == tag {
			return q
		}
	}
	return nil
}

func loadDir(dir string) (*Tree, error) { return Load(Source{Dir: dir}) }

const designExample = `type: stage4
stage3: {file: ../stage3-raspi4-next-2022-06-16.tar.xz, arch: arm-64bit, subarch: raspi4}
exclude: [/usr/src/linux-*, /lib/modules/*]
values:
  hostname: {default: "{{ .project.name }}"}
  root_password: {prompt: Root password, secret: true, confirm: true}
  programs: {prompt: Extra programs, choices: [vim, tmux], many: true, default: [vim]}
volumes:
  - {source: ~/distfiles, target: /var/cache/portage/distfiles}
network: host
scripts:
  - name: base
    script: scripts/base.sh
    scripts:
      - {name: sync, run: "ego sync"}
      - {name: programs, run: "emerge {{ .values.programs }}"}
image: {entrypoint: [/sbin/init], cmd: [], env: {LANG: C.UTF-8}, labels: {}, ports: [22/tcp], user: "", workdir: /}
outputs: {sif: "{{ .project.name }}.sif"}
`

func TestDesignExample(t *testing.T) {
	t.Setenv("HOME", "/home/somebody")
	dir := workdir(t, map[string]string{
		"types/stage4.yaml":             "description: any",
		"arm/pi/.xtoo-config.yaml":      designExample,
		"arm/pi/scripts/base.sh":        "#!/bin/bash\necho base\n",
		"arm/pi/host/.xtoo-config.yaml": "",
	})
	tree, err := loadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := tree.Resolve(tree.projects, Given{Set: []string{"root_password=hunter2"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range plan.Projects {
		t.Logf("%s %s parent=%v sif=%s values=%v image=%+v", p.Project.Tag, p.Arch, p.Parent != nil, p.Outputs[OutputSIF], p.values, p.Image)
		for _, n := range p.Nodes {
			t.Logf("  %s %q %v %s %v", n.Path, n.body, n.Interpreter, n.Network, n.Environ())
			in, err := n.Inputs(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("     %v", in.Components)
		}
	}
}
