package sif

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"xtoo/internal/testutil"
	"xtoo/internal/testutil/layertest"
	"xtoo/layers"
	"xtoo/layers/merge"
)

func fileLayer(path string) merge.Layer {
	return merge.Layer{Open: func() (io.ReadCloser, error) { return os.Open(path) }}
}

// notAdded leaves out what this package adds to the tree at root.
func notAdded(root string) func(string) bool {
	return func(name string) bool {
		if !own(name) || name == "." {
			return false
		}
		_, err := os.Lstat(filepath.Join(root, name))
		return err != nil || strings.HasPrefix(name, dirName) || slices.Contains([]string{"singularity", "environment"}, name)
	}
}

// mounted calls f with the partition of a SIF file mounted by the kernel, or by squashfuse.
func mounted(t *testing.T, how, sif string, info written, f func(root string)) {
	t.Helper()
	dir := t.TempDir()
	var cmd *exec.Cmd
	switch how {
	case "kernel":
		testutil.Need(t, "mount")
		cmd = exec.Command("mount", "-t", "squashfs", "-o", fmt.Sprintf("loop,ro,offset=%d", info.partitionOffset), sif, dir)
	case "squashfuse":
		testutil.Need(t, "squashfuse")
		fuse, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
		if err != nil {
			testutil.SkipOrFail(t, "squashfuse: %v", err)
		}
		fuse.Close()
		cmd = exec.Command("squashfuse", "-o", fmt.Sprintf("offset=%d", info.partitionOffset), sif, dir)
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		testutil.SkipOrFail(t, "%s: %v: %s", how, err, out)
	}
	defer func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	}()
	f(dir)
}

// A whole stage3 comes out of the SIF file, by every way to read it, as GNU tar unpacks it.
func TestStage3AgainstTar(t *testing.T) {
	testutil.NeedRoot(t)
	testutil.Need(t, "tar", "unsquashfs")
	base := testutil.StageTar(t)
	want := filepath.Join(t.TempDir(), "want")
	if err := os.Mkdir(want, 0o755); err != nil {
		t.Fatal(err)
	}
	testutil.Run(t, "tar", "--numeric-owner", "--xattrs", "--xattrs-include=*", "-xpf", base, "-C", want)
	view := testutil.View{Skip: notAdded(want), Time: testutil.Seconds}
	wantTree := view.Dump(t, want)
	sif, info := writeSIF(t, Image{Layers: []merge.Layer{fileLayer(base)}}, Options{})
	t.Logf("%d members, %+v", len(wantTree), info)
	testutil.SameTrees(t, "unsquashfs", view.Dump(t, unsquash(t, sif, info)), wantTree)
	for _, how := range []string{"kernel", "squashfuse"} {
		t.Run(how, func(t *testing.T) {
			mounted(t, how, sif, info, func(root string) {
				got, want := view.Dump(t, root), wantTree
				if how == "squashfuse" {
					got, want = asSquashfuse(got), asSquashfuse(want)
				}
				testutil.SameTrees(t, how, got, want)
			})
		})
	}
}

// linksOf finds what a dump says of the names of a file.
var linksOf = regexp.MustCompile(` (\d+ links), first .*?( (?:security|system|trusted|user)\.|$)`)

// asSquashfuse levels what squashfuse reads otherwise than the kernel: it takes the prefixes "trusted." and
// "security." for each other, and gives the names of one file different inode numbers.
func asSquashfuse(tree map[string]string) map[string]string {
	out := map[string]string{}
	for path, line := range tree {
		out[path] = strings.ReplaceAll(linksOf.ReplaceAllString(line, " $1$2"), " trusted.", " security.")
	}
	return out
}

// changes makes a layer over a stage3 that does to it what nodes do.
func changes(t *testing.T, base string) []byte {
	f, err := os.Open(base)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var target, linked, plain, mode, removed, opaque, replaced string
	tr := tar.NewReader(f)
	for {
		hdr, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		name := strings.Trim(strings.TrimPrefix(hdr.Name, "./"), "/")
		switch {
		case hdr.Typeflag == tar.TypeLink && target == "":
			target, linked = strings.TrimPrefix(hdr.Linkname, "./"), name
		case hdr.Typeflag == tar.TypeReg && hdr.Size > 100000 && plain == "":
			plain = name
		case hdr.Typeflag == tar.TypeReg && strings.HasPrefix(name, "usr/bin/") && mode == "":
			mode = name
		case hdr.Typeflag == tar.TypeDir && name == "usr/share/doc":
			removed = name
		case hdr.Typeflag == tar.TypeDir && name == "var/lib":
			opaque = name
		case hdr.Typeflag == tar.TypeDir && name == "var/cache":
			replaced = name
		}
	}
	if target == "" || plain == "" || mode == "" || opaque == "" || replaced == "" {
		t.Fatalf("the stage3 lacks members that this test changes: %q %q %q %q %q", target, plain, mode, opaque, replaced)
	}
	t.Logf("replace %s (another name: %s), %s by a directory, %s by a file; clear %s; remove %s", target, linked, plain, replaced, opaque, removed)
	dir := func(p string) string { d, _ := layers.Split(p); return d }
	items := []item{reg(target, "replaced"), folder(plain, 0o750), reg(plain+"/x", "below"), reg(mode, "#!/bin/sh\n"), reg(replaced, "a file now"),
		folder(opaque, 0o755), wh(opaque + "/.wh..wh..opq"), reg(opaque+"/new", "new"), hard(opaque+"/new2", opaque+"/new"), char("dev/extra", 10, 229)}
	items[3].Mode = 0o4711
	if removed != "" {
		items = append(items, wh(dir(removed)+"/.wh.doc"))
	}
	return tarOf(t, items...)
}

// Two layers, one of them a whole stage3, are in the SIF file what umoci unpacks of them.
func TestStage3AgainstUmoci(t *testing.T) {
	testutil.NeedRoot(t)
	testutil.Need(t, "umoci", "unsquashfs")
	base := testutil.StageTar(t)
	top := changes(t, base)
	sif, info := writeSIF(t, Image{Layers: append(layersOf(top), fileLayer(base))}, Options{})
	t.Logf("%+v", info)
	if info.secondPasses != 1 {
		t.Errorf("%d second passes", info.secondPasses)
	}
	whole, err := os.ReadFile(base)
	if err != nil {
		t.Fatal(err)
	}
	bundle := filepath.Join(t.TempDir(), "bundle")
	testutil.Run(t, "umoci", "unpack", "--image", layertest.Layout(t, top, whole)+":image", bundle)
	want := filepath.Join(bundle, "rootfs")
	view := testutil.View{Skip: notAdded(want), Time: testutil.FileSeconds}
	testutil.SameTrees(t, "the SIF file", view.Dump(t, unsquash(t, sif, info)), view.Dump(t, want))
}

// The actions work in the image itself, with its own shell.
func TestStage3Actions(t *testing.T) {
	testutil.NeedRoot(t)
	img := Image{Layers: []merge.Layer{fileLayer(testutil.StageTar(t))}}
	img.Config.Config.Env = []string{"PATH=/usr/bin:/bin", "NOTE=" + awkward}
	sif, info := writeSIF(t, img, Options{})
	mounted(t, "kernel", sif, info, func(root string) {
		for _, c := range []struct{ args, want string }{
			{"/.exec|printenv|NOTE", awkward + "\n"},
			{"/.run|echo|a b", "a b\n"},
			{"/.shell|-c|echo $SHELL", "/bin/bash\n"},
			{"/.test", ""},
			{"/singularity|true", ""},
		} {
			args := strings.Split(c.args, "|")
			cmd := exec.Command(args[0], args[1:]...)
			cmd.SysProcAttr = chrooted(root)
			cmd.Env, cmd.Dir = []string{"HOME=/root"}, "/"
			var errs bytes.Buffer
			cmd.Stderr = &errs
			out, err := cmd.Output()
			if err != nil || string(out) != c.want {
				t.Errorf("%s: %v, %q, want %q: %s", c.args, err, out, c.want, errs.String())
			}
		}
	})
}

// siftool, the format's own tool, lists what is in the file and takes it out.
func TestSiftool(t *testing.T) {
	testutil.Long(t, "builds siftool from the module cache")
	testutil.Need(t, "go")
	tool := filepath.Join(t.TempDir(), "siftool")
	testutil.Run(t, "go", "build", "-o", tool, "github.com/sylabs/sif/v2/cmd/siftool")
	path, info := writeSIF(t, sample(t), Options{})
	list := testutil.Run(t, tool, "list", path)
	for _, want := range []string{"|Def.FILE", "|JSON.Generic", fmt.Sprintf("|%d-%d", info.partitionOffset, info.size), "|FS (Squashfs/*System/arm64)"} {
		if !strings.Contains(list, want) {
			t.Errorf("list lacks %s:\n%s", want, list)
		}
	}
	if got := testutil.Run(t, tool, "dump", "1", path); got != "type: stage4\n" {
		t.Errorf("definition %q", got)
	}
	if header := testutil.Run(t, tool, "header", path); !strings.Contains(header, "2022-06-16 00:00:00 +0000 UTC") {
		t.Errorf("header:\n%s", header)
	}
}
