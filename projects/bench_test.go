package projects

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"
)

// manySmall is a tree of 20 roots with 9 projects below each, five nodes a project: 200 configurations, 1,000 nodes. Half
// of the scripts are files, some nodes declare files, values are inherited and used.
func manySmall() map[string]string {
	files := map[string]string{}
	for r := range 20 {
		root := fmt.Sprintf("r%02d", r)
		for p := range 10 {
			tag, base := root, "stage3: {file: ../stage3.tar.xz, arch: x86-64bit, subarch: generic_64}\nnetwork: none\n"
			if p > 0 {
				tag, base = fmt.Sprintf("%s/p%d", root, p), ""
			}
			var b strings.Builder
			b.WriteString("# A project of many.\n" + base)
			fmt.Fprintf(&b, "values:\n  hostname: \"{{ .project.name }}\"\n  jobs: {default: 4, prompt: How many}\n  extra%d: [vim, tmux]\n", p)
			b.WriteString("env: {LANG: C.UTF-8, MAKEOPTS: \"-j{{ .values.jobs }}\"}\nscripts:\n")
			for n := range 5 {
				fmt.Fprintf(&b, "  - name: node%d\n", n)
				if n%2 == 0 {
					fmt.Fprintf(&b, "    script: scripts/n%d.sh\n", n)
					files[fmt.Sprintf("%s/scripts/n%d.sh", tag, n)] = fmt.Sprintf("#!/bin/sh\necho %s %d\n", tag, n)
				} else {
					fmt.Fprintf(&b, "    run: |\n      set -e\n      echo \"node %d of %s on {{ .values.hostname }}\" > /etc/node%d\n", n, tag, n)
				}
				if n == 4 {
					b.WriteString("    files: [data]\n")
					files[tag+"/data/motd"] = "welcome to " + tag + "\n"
				}
			}
			b.WriteString("image:\n  env: {LANG: C.UTF-8}\n  cmd: [/bin/sh]\n")
			files[tag+"/"+configName] = b.String()
		}
	}
	return files
}

// BenchmarkManySmall is what a build with nothing to do spends on its plan: load, resolve, hash.
func BenchmarkManySmall(b *testing.B) {
	dir := workdir(b, manySmall())
	b.ReportAllocs()
	before := cpuTime(b)
	defer func() { b.ReportMetric(float64((cpuTime(b)-before).Microseconds())/1000/float64(b.N), "cpu-ms/op") }()
	for b.Loop() {
		tree, err := loadDir(dir)
		if err != nil {
			b.Fatal(err)
		}
		plan, err := tree.Resolve(tree.projects, Given{})
		if err != nil {
			b.Fatal(err)
		}
		nodes := 0
		for _, p := range plan.Projects {
			for _, n := range p.Nodes {
				if _, err := n.Inputs(b.Context(), nil); err != nil {
					b.Fatal(err)
				}
				nodes++
			}
		}
		if len(plan.Projects) != 200 || nodes != 1000 {
			b.Fatalf("%d projects, %d nodes", len(plan.Projects), nodes)
		}
	}
}

// cpuTime is what this process has used of all cores: other work on the machine does not show in it.
func cpuTime(tb testing.TB) time.Duration {
	tb.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
