package sif

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sys/unix"

	"xtoo/internal/testutil"
	"xtoo/internal/testutil/layertest"
)

// layout writes an OCI layout with one image, tagged "image", of layers given topmost first.
func layout(t testing.TB, tars ...[]byte) string {
	t.Helper()
	dir := t.TempDir()
	blob := func(mediaType string, b []byte) v1.Descriptor {
		d := digest.FromBytes(b)
		name := filepath.Join(dir, "blobs", "sha256", d.Encoded())
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, b, 0o644); err != nil {
			t.Fatal(err)
		}
		return v1.Descriptor{MediaType: mediaType, Digest: d, Size: int64(len(b))}
	}
	encode := func(v any) []byte {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	config := v1.Image{Platform: v1.Platform{Architecture: "amd64", OS: "linux"}, RootFS: v1.RootFS{Type: "layers"}}
	manifest := v1.Manifest{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageManifest}
	for _, b := range slices.Backward(tars) {
		manifest.Layers = append(manifest.Layers, blob(v1.MediaTypeImageLayer, b))
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, digest.FromBytes(b))
	}
	manifest.Config = blob(v1.MediaTypeImageConfig, encode(config))
	m := blob(v1.MediaTypeImageManifest, encode(manifest))
	m.Annotations = map[string]string{v1.AnnotationRefName: "image"}
	index := v1.Index{Versioned: specs.Versioned{SchemaVersion: 2}, Manifests: []v1.Descriptor{m}}
	for name, b := range map[string][]byte{"index.json": encode(index), "oci-layout": []byte(`{"imageLayoutVersion":"1.0.0"}`)} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// A walker renders a tree on disk, a line a name, with everything that an image holds.
type walker struct {
	skip    func(name string) bool
	dirTime bool // the times of directories count
}

func (w walker) lines(t testing.TB, root string) []string {
	t.Helper()
	first := map[[2]uint64]string{}
	var out []string
	err := filepath.WalkDir(root, func(p string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		if w.skip != nil && w.skip(name) {
			return nil
		}
		var st unix.Stat_t
		if err := unix.Lstat(p, &st); err != nil {
			return err
		}
		line := fmt.Sprintf("%q %#o %d:%d", name, st.Mode, st.Uid, st.Gid)
		switch st.Mode & unix.S_IFMT {
		case unix.S_IFREG:
			b, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			sum := sha256.Sum256(b)
			line += fmt.Sprintf(" size %d %s", st.Size, hex.EncodeToString(sum[:8]))
		case unix.S_IFLNK:
			target, err := os.Readlink(p)
			if err != nil {
				return err
			}
			line += fmt.Sprintf(" -> %q", target)
		case unix.S_IFCHR, unix.S_IFBLK:
			line += fmt.Sprintf(" device %d:%d", unix.Major(st.Rdev), unix.Minor(st.Rdev))
		}
		isDir := st.Mode&unix.S_IFMT == unix.S_IFDIR
		if !isDir || w.dirTime {
			line += fmt.Sprintf(" time %d", st.Mtim.Sec)
		}
		if !isDir {
			key := [2]uint64{st.Dev, st.Ino}
			if first[key] == "" {
				first[key] = name
			}
			line += fmt.Sprintf(" link %d of %q", st.Nlink, first[key])
		}
		xattrs, err := xattrsOf(p)
		if err != nil {
			return fmt.Errorf("xattrs of %s: %w", p, err)
		}
		out = append(out, line+xattrs)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	sort.Strings(out)
	return out
}

func xattrsOf(p string) (string, error) {
	buf := make([]byte, 64<<10)
	n, err := unix.Llistxattr(p, buf)
	if err != nil {
		return "", err
	}
	names := strings.Split(strings.TrimRight(string(buf[:n]), "\x00"), "\x00")
	sort.Strings(names)
	var out string
	for _, name := range names {
		if name == "" || name == "security.selinux" {
			continue
		}
		value := make([]byte, 64<<10)
		n, err := unix.Lgetxattr(p, name, value)
		if err != nil {
			return "", err
		}
		out += fmt.Sprintf(" %s=%q", name, value[:n])
	}
	return out, nil
}

// diffLines reports the lines that only one side has.
func diffLines(t testing.TB, what string, got, want []string) {
	t.Helper()
	in := func(list []string) map[string]bool {
		m := map[string]bool{}
		for _, l := range list {
			m[l] = true
		}
		return m
	}
	g, w := in(got), in(want)
	shown := 0
	for _, l := range append(slices.Clone(got), want...) {
		if g[l] != w[l] && shown < 40 {
			side := "has"
			if !g[l] {
				side = "lacks"
			}
			t.Errorf("%s %s: %s", what, side, l)
			shown++
		}
	}
}

// What unsquashfs unpacks from a SIF file is what umoci unpacks from the same layers.
func TestMergeAgainstUmoci(t *testing.T) {
	testutil.NeedRoot(t)
	testutil.Need(t, "umoci", "unsquashfs")
	for _, c := range layertest.Cases {
		if c.Umoci != "" {
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			tars := c.Tars(t)
			path, info := writeSIF(t, Image{Layers: layersOf(tars...)}, Options{Jobs: 2})
			got := walker{skip: own}.lines(t, unsquash(t, path, info))
			bundle := filepath.Join(t.TempDir(), "bundle")
			testutil.Run(t, "umoci", "unpack", "--image", layout(t, tars...)+":image", bundle)
			want := walker{skip: own}.lines(t, filepath.Join(bundle, "rootfs"))
			diffLines(t, "the SIF file", got, want)
		})
	}
}
