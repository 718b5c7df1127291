package conformance

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"xtoo/internal/testutil"
	"xtoo/internal/testutil/layertest"
)

// TestImagesOfOthers builds on random images, of which it prints the seeds: what a script sees, what is in the SIF file as the kernel or
// unsquashfs reads it, and what `umoci unpack` makes of them must be the same, but for what docs/images.md says.
func TestImagesOfOthers(t *testing.T) {
	first, n := uint64(1000), 4
	if testutil.IsLong() {
		n = 150
	}
	t.Logf("seeds %d to %d", first, first+uint64(n)-1)
	w := newWorkshop(t)
	images := map[uint64][][]byte{} // topmost layer first
	for i := range n {
		seed := first + uint64(i)
		var streams [][]byte
		for _, l := range slices.Backward(randomImage(seed)) {
			streams = append(streams, layertest.Tar(t, l...))
		}
		images[seed] = streams
		w.project(seed, streams)
	}
	w.build()
	for _, seed := range slices.Sorted(maps.Keys(images)) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { w.compare(t, seed, images[seed]) })
	}
}

// A workshop is a directory in which images are built by the real program.
type workshop struct {
	t              *testing.T
	dir, xtoo, see string
	layouts        map[uint64]string
}

func newWorkshop(t *testing.T) *workshop {
	t.Helper()
	w := &workshop{t: t, dir: t.TempDir(), layouts: map[uint64]string{}}
	w.xtoo, w.see = filepath.Join(w.dir, "xtoo"), filepath.Join(w.dir, "see")
	build := testutil.Tool{Env: []string{"CGO_ENABLED=0"}}
	build.Run(t, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", w.xtoo, "xtoo/cmd/xtoo")
	testutil.Must(t, errors.Join(os.Mkdir(w.see, 0o755), os.Mkdir(filepath.Join(w.see, "out"), 0o755)))
	build.Run(t, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", filepath.Join(w.see, "see"), "xtoo/internal/conformance/testdata/see")
	t.Cleanup(func() { w.run("clean", "--all") })
	return w
}

func (w *workshop) run(args ...string) {
	w.t.Helper()
	testutil.Tool{Both: true, Env: []string{"XTOO_STORE=" + filepath.Join(w.dir, "store"), "TMPDIR=" + w.dir}}.Run(w.t, w.xtoo, args...)
}

func (w *workshop) of(seed uint64, parts ...string) string {
	return filepath.Join(append([]string{w.dir, fmt.Sprint("p", seed)}, parts...)...)
}

// project makes a project of one image, with a script that writes down what it sees.
func (w *workshop) project(seed uint64, streams [][]byte) {
	w.t.Helper()
	w.layouts[seed] = layertest.Layout(w.t, streams...)
	at := filepath.Join(w.dir, "work", fmt.Sprint("p", seed))
	config := fmt.Sprintf(`from: {image: "oci:%s:image", arch: x86-64bit, subarch: generic_64}
network: none
volumes: [{source: %s, target: /see, readonly: true}, {source: %s, target: /see/out}]
scripts: [{name: see, run: "#!/see/see\n"}]
`, w.layouts[seed], w.see, w.of(seed))
	testutil.Must(w.t, errors.Join(os.MkdirAll(at, 0o755), os.Mkdir(w.of(seed), 0o755), os.WriteFile(filepath.Join(at, ".xtoo-config.yaml"), []byte(config), 0o644)))
}

func (w *workshop) build() {
	w.t.Helper()
	w.run("build", "-C", filepath.Join(w.dir, "work"), "--sif", filepath.Join(w.dir, "sif")+"/")
}

// compare compares what everybody sees of one image.
func (w *workshop) compare(t *testing.T, seed uint64, streams [][]byte) {
	files, err := mergedFiles(t.Context(), streams...)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(w.of(seed, "saw.json"))
	if err != nil {
		t.Fatal(err)
	}
	var saw struct {
		Tree map[string]string `json:"tree"`
	}
	if err := json.Unmarshal(data, &saw); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for path, line := range saw.Tree {
		p, err1 := strconv.Unquote(path)
		l, err2 := strconv.Unquote(line)
		testutil.Must(t, errors.Join(err1, err2))
		got[p] = withoutNames(withoutRecord(l))
	}
	testutil.SameTrees(t, "what a script sees, and the merge", got, seenOf(files))
	if os.Geteuid() != 0 {
		return // only root can unpack owners and devices, and mount
	}
	testutil.Need(t, "umoci", "unsquashfs")
	view := testutil.View{Time: testutil.FileSeconds, Xattr: comparedXattr, Skip: func(path string) bool {
		f := files[path]
		return path == "." || added(path) || f != nil && f.implied // umoci gives them what the directory above passes on
	}}
	bundle := w.of(seed, "bundle")
	testutil.Run(t, "umoci", "unpack", "--image", w.layouts[seed]+":image", bundle)
	for path, f := range files {
		if f.implied {
			delete(got, path)
		}
	}
	unpacked := view.Dump(t, filepath.Join(bundle, "rootfs"))
	w.mounted(t, seed, func(root string) {
		testutil.SameTrees(t, "the SIF file, and what umoci unpacks", withValues(view.Dump(t, root)), unpacked)
	})
	// The script does not see which names across layers are of one file.
	testutil.SameTrees(t, "what a script sees, and what umoci unpacks", leveled(withValues(got)), leveled(unpacked))
}

func comparedXattr(name string) bool {
	return name == "security.capability" || strings.HasPrefix(name, "user.")
}

// added reports whether a path is of what a SIF file has beside the image, or of what umoci takes for files.
func added(path string) bool {
	top, _, _ := strings.Cut(path, "/")
	return strings.HasPrefix(top, ".singularity.d") || strings.HasPrefix(filepath.Base(path), ".wh..wh.") ||
		slices.Contains([]string{".exec", ".run", ".shell", ".test", "environment", "singularity", "dev", "etc", "home", "proc", "root", "sys", "tmp", "var"}, top)
}

// withValues leaves out attributes without a value, which umoci does not unpack.
func withValues(tree map[string]string) map[string]string {
	out := map[string]string{}
	for path, line := range tree {
		out[path] = strings.ReplaceAll(line, ` user.note=""`, "")
	}
	return out
}

// withoutNames leaves out which names are of one file.
func withoutNames(line string) string {
	before, after, ok := strings.Cut(line, " links, first ")
	if !ok {
		return line
	}
	before = before[:strings.LastIndexByte(before, ' ')]
	for _, space := range []string{" security.", " user."} { // attributes come behind the name
		if i := strings.Index(after, space); i >= 0 {
			return before + after[i:]
		}
	}
	return before
}

// leveled leaves out the times of directories, and names.
func leveled(tree map[string]string) map[string]string {
	out := map[string]string{}
	for path, line := range tree {
		if f := strings.SplitN(line, " ", 4); strings.HasPrefix(line, "04") && len(f) > 2 && !strings.Contains(f[2], "=") {
			line = strings.Join(slices.Delete(f, 2, 3), " ")
		}
		out[path] = withoutNames(line)
	}
	return out
}

// mounted calls f with the root of the file system in the SIF file: mounted by the kernel, or else unpacked by unsquashfs.
func (w *workshop) mounted(t *testing.T, seed uint64, f func(root string)) {
	t.Helper()
	file := filepath.Join(w.dir, "sif", fmt.Sprint("p", seed, ".sif"))
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	offset := 0
	for offset < len(data) && !bytes.HasPrefix(data[offset:], []byte("hsqs")) {
		offset += 4096
	}
	at := w.of(seed, "mounted")
	testutil.Must(t, os.Mkdir(at, 0o755))
	if _, _, err := (testutil.Tool{}).Try(t, "mount", "-t", "squashfs", "-o", fmt.Sprint("ro,loop,offset=", offset), file, at); err == nil {
		defer testutil.Run(t, "umount", at)
		f(at)
		return
	}
	at = w.of(seed, "unsquashed")
	testutil.Run(t, "unsquashfs", "-no-progress", "-quiet", "-strict-errors", "-offset", fmt.Sprint(offset), "-dest", at, file)
	f(at)
}
