package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// findStages checks the stage3s that were given, or makes the demo's.
func (b *bench) findStages(ctx context.Context) error {
	if b.full == "" || b.mini == "" {
		demo, err := b.demoStage3(ctx)
		if err != nil {
			return err
		}
		b.demo, b.full, b.mini = true, demo, demo
	}
	for _, p := range []*string{&b.full, &b.mini, &b.arm} {
		if *p == "" {
			continue // there is none of -stage3-arm to make up for
		}
		abs, err := filepath.Abs(*p)
		if err != nil {
			return err
		}
		if _, err := os.Stat(abs); err != nil {
			return err
		}
		*p = abs
	}
	return nil
}

// demoStage3 returns the demo's stage3, made when it is first asked for.
func (b *bench) demoStage3(ctx context.Context) (string, error) {
	if b.demoFile != "" {
		return b.demoFile, nil
	}
	demo := filepath.Join(b.dir, "stage3.tar.xz")
	if _, err := command(ctx, "", nil, "go", "run", "-buildvcs=false", "./internal/demostage", "-o", demo); err != nil {
		return "", fmt.Errorf("make the demo's stage3 (run bench from the project's root): %w", err)
	}
	b.demoFile = demo
	return demo, nil
}

// workDir writes a work directory with one project, "bench": a stage3 and a node for each script.
func (b *bench) workDir(name, stage3 string, scripts ...string) (string, error) {
	dir := filepath.Join(b.dir, name)
	return dir, writeProject(filepath.Join(dir, "bench"), stage3, scripts)
}

// writeProject writes the configuration of a project with a node for each script; without a stage3 it is no root.
func writeProject(dir, stage3 string, scripts []string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	var y strings.Builder
	if stage3 != "" {
		fmt.Fprintf(&y, "stage3: {file: %q}\n", stage3)
	}
	y.WriteString("network: none\nscripts:\n")
	for i, s := range scripts {
		fmt.Fprintf(&y, "  - {name: n%d, run: %q}\n", i+1, s)
	}
	return os.WriteFile(filepath.Join(dir, ".xtoo-config.yaml"), []byte(y.String()), 0o644)
}

// notes returns n scripts that write one small file each. Those of another word are other scripts.
func notes(n int, word string) []string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf("echo %s > /etc/bench-%d", word, i))
	}
	return all
}

// lacks names the first of the programs that is not there, or "".
func lacks(programs ...string) string {
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			return p
		}
	}
	return ""
}

// untar is how the other side unpacks: an ordinary user cannot make device nodes, and is not asked to.
func untar() string {
	if os.Geteuid() != 0 {
		return "tar -x --exclude './dev/*'"
	}
	return "tar -x"
}

// unpack unpacks a stage3 into a new directory with tar.
func (b *bench) unpack(ctx context.Context, stage3, root string) error {
	if err := os.Mkdir(root, 0o755); err != nil {
		return err
	}
	_, err := command(ctx, root, nil, "bash", "-c", untar()+` -f "$1"`, "untar", stage3)
	return err
}
