package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// findStages checks the stage3s that were given, or makes the demo's.
func (b *bench) findStages(ctx context.Context) error {
	if b.full == "" || b.mini == "" {
		b.demo = true
		demo := filepath.Join(b.dir, "stage3.tar.xz")
		if _, err := command(ctx, "", nil, "go", "run", "-buildvcs=false", "./internal/demostage", "-o", demo); err != nil {
			return fmt.Errorf("make the demo's stage3 (run bench from the project's root): %w", err)
		}
		b.full, b.mini = demo, demo
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

// tree writes a work directory with one project, "bench": a stage3 and a node for each script.
func (b *bench) tree(name, stage3 string, scripts ...string) (string, error) {
	dir := filepath.Join(b.dir, name)
	project := filepath.Join(dir, "bench")
	if err := os.MkdirAll(project, 0o755); err != nil {
		return "", err
	}
	var y strings.Builder
	fmt.Fprintf(&y, "stage3: {file: %q}\nnetwork: none\nscripts:\n", stage3)
	for i, s := range scripts {
		fmt.Fprintf(&y, "  - {name: n%d, run: %q}\n", i+1, s)
	}
	return dir, os.WriteFile(filepath.Join(project, ".xtoo-config.yaml"), []byte(y.String()), 0o644)
}

// notes returns n scripts that write one small file each.
func notes(n int) []string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf("echo %d > /etc/bench-%d", i, i))
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

// cold: a full stage3 and three small nodes into an OCI layout, against the usual pipeline.
func (b *bench) cold(ctx context.Context) ([]row, error) {
	const what = "cold build, 3 nodes, OCI layout (gzip)"
	work, err := b.tree("cold", b.full, notes(3)...)
	if err != nil {
		return nil, err
	}
	theirs := func(i int) (sample, error) {
		dir := filepath.Join(b.dir, "pipeline")
		if err := os.Mkdir(dir, 0o755); err != nil {
			return sample{}, err
		}
		script := `set -o pipefail; xz -dc -T2 "$1" | tee >(sha256sum > sum) >(pigz -p2 -6 > blob.gz) | ` + untar() + `; rc=$?; wait; exit $rc`
		s, err := command(ctx, dir, nil, "bash", "-c", script, "pipeline", b.full)
		if err != nil {
			return s, err
		}
		return s, b.remove(ctx, dir)
	}
	missing := lacks("bash", "xz", "tee", "sha256sum", "pigz", "tar")
	if missing != "" {
		theirs = nil
	}
	p, err := b.sideBySide(func(i int) (sample, error) {
		store, out := filepath.Join(b.dir, "cold-store"), filepath.Join(b.dir, "cold-oci")
		s, err := b.build(ctx, what, store, work, "--oci-layout", out)
		if err != nil {
			return s, err
		}
		if err := os.RemoveAll(out); err != nil {
			return s, err
		}
		return s, b.drop(ctx, store)
	}, theirs)
	if err != nil {
		return nil, err
	}
	return []row{compare(what, "`xz \\| tee sha256sum pigz \\| tar -x`", p, 1.0, missing)}, nil
}

// sif: a SIF from built layers, against mksquashfs of the same tree.
func (b *bench) sif(ctx context.Context) ([]row, error) {
	const what = "SIF from built layers (gzip)"
	work, err := b.tree("sif", b.full, notes(3)...)
	if err != nil {
		return nil, err
	}
	store := filepath.Join(b.dir, "sif-store")
	if _, err := b.build(ctx, "build of the layers", store, work); err != nil {
		return nil, err
	}
	file, squash, root := filepath.Join(b.dir, "bench.sif"), filepath.Join(b.dir, "bench.squashfs"), filepath.Join(b.dir, "root")
	var theirs func(int) (sample, error)
	missing := lacks("mksquashfs", "tar", "bash")
	if missing == "" {
		if err := b.unpack(ctx, b.full, root); err != nil {
			return nil, err
		}
		theirs = func(int) (sample, error) {
			if err := os.RemoveAll(squash); err != nil {
				return sample{}, err
			}
			return command(ctx, b.dir, nil, "mksquashfs", root, squash, "-comp", "gzip", "-noappend", "-no-progress", "-quiet")
		}
	}
	p, err := b.sideBySide(func(int) (sample, error) {
		if err := os.RemoveAll(file); err != nil {
			return sample{}, err
		}
		return b.build(ctx, what, store, work, "--sif", file)
	}, theirs)
	if err != nil {
		return nil, err
	}
	rows := []row{compare(what, "`mksquashfs -comp gzip`", p, 0.35, missing)}
	if missing == "" {
		size, err := sizes(file, squash)
		if err != nil {
			return nil, err
		}
		rows = append(rows, size)
	}
	return rows, b.drop(ctx, store)
}

// sizes compares the SIF with the squashfs file.
func sizes(file, squash string) (row, error) {
	a, err := os.Stat(file)
	if err != nil {
		return row{}, err
	}
	c, err := os.Stat(squash)
	if err != nil {
		return row{}, err
	}
	ratio := float64(a.Size()) / float64(c.Size())
	return row{"size of that SIF", megabytes(a.Size()), "`mksquashfs -comp gzip`: " + megabytes(c.Size()), ratio, 1.02, "×", ""}, nil
}

// nothing: a build with nothing to do.
func (b *bench) nothing(ctx context.Context) ([]row, error) {
	const what = "nothing to do, 20 nodes, OCI layout and SIF present"
	work, err := b.tree("nothing", b.full, notes(20)...)
	if err != nil {
		return nil, err
	}
	store := filepath.Join(b.dir, "nothing-store")
	args := []string{"--oci-layout", filepath.Join(b.dir, "nothing-oci"), "--sif", filepath.Join(b.dir, "nothing.sif")}
	if _, err := b.build(ctx, "build of 20 nodes", store, work, args...); err != nil {
		return nil, err
	}
	p, err := b.sideBySide(func(int) (sample, error) { return b.build(ctx, what, store, work, args...) }, nil)
	if err != nil {
		return nil, err
	}
	return []row{{what, seconds(p.ours.wall), "", p.ours.wall.Seconds(), 0.10, "s", ""}}, b.drop(ctx, store)
}

// change: a node that changes one file, on the full stage3 and on the small one.
func (b *bench) change(ctx context.Context) ([]row, error) {
	const what = "a node that changes one file, full stage3"
	const script = "echo %s > /etc/bench-change"
	full, err := b.changer(ctx, change{"full", what, b.full, notes(2), script})
	if err != nil {
		return nil, err
	}
	mini, err := b.changer(ctx, change{"mini", what + " (mini)", b.mini, notes(2), script})
	if err != nil {
		return nil, err
	}
	p, err := b.sideBySide(full, mini)
	if err != nil {
		return nil, err
	}
	ratio := p.ours.wall.Seconds() / p.theirs.wall.Seconds()
	return []row{
		{what, seconds(p.ours.wall), "the script's own time, nearly nothing", p.ours.wall.Seconds(), 0.20, "s", ""},
		{"the same", seconds(p.ours.wall), "on the mini stage3: " + seconds(p.theirs.wall), ratio, 1.3, "×", ""},
	}, nil
}

// change is a project whose last script changes.
type change struct {
	name   string   // of its directories
	what   string   // the row it is for
	stage3 string   // a file
	below  []string // scripts that stay
	script string   // has a %s for what is new each time
}

// changer builds a project and returns what changes the script of its last node and builds again.
func (b *bench) changer(ctx context.Context, c change) (func(int) (sample, error), error) {
	store, out := filepath.Join(b.dir, c.name+"-store"), filepath.Join(b.dir, c.name+"-oci")
	again := func(script string) (sample, error) {
		work, err := b.tree("change-"+c.name, c.stage3, slices.Concat(c.below, []string{script})...)
		if err != nil {
			return sample{}, err
		}
		return b.build(ctx, c.what, store, work, "--oci-layout", out)
	}
	if _, err := again("true"); err != nil {
		return nil, err
	}
	// Unlike any run of the past, whatever the store remembers.
	token := strconv.FormatInt(time.Now().UnixNano(), 36)
	return func(i int) (sample, error) {
		return again(fmt.Sprintf(c.script, fmt.Sprintf("%s-%d", token, i)))
	}, nil
}
