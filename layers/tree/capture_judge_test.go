package tree

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"xtoo/internal/testutil"
	"xtoo/layers"
)

// changes are the steps whose layers foreign tools apply and read: every kind of change that a layer can say.
var changes = []string{
	`rm d/one; chmod 711 d/two; rm -r d/sub; mkdir d/sub; echo new > d/sub/new
	rm file; mkdir file; echo in > file/in
	echo more >> h1
	ln a d/a; echo n > n; ln n n2; ln n d/n3
	rm l; ln -s a l; mkfifo p
	chmod u+s x; setfattr -n user.b -v 2 x
	mkdir tree tree/a tree/a/b; echo 1 > tree/a/1; echo 2 > tree/a/b/2; touch tree/a-b tree/a.b
	touch -d @1000000000.5 early`,
	`rm -r file; echo file > file
	rm -r tree/a; echo now a file > tree/a
	rm -r d; mkdir d; echo only > d/only
	rm n; rm l; mkdir l; echo in > l/in; touch l/x
	mv tree/a-b tree/moved; chmod 000 x
	rm -rf h2`,
	`rm -r l; ln -s d l; rm tree/a; mkdir tree/a; rm d/only; rm p; echo p > p`,
}

// layout writes an OCI layout with one image of uncompressed layers.
func layout(t *testing.T, layers ...[]byte) string {
	t.Helper()
	dir := newDir(t, "layout")
	put := func(mediaType string, data []byte) v1.Descriptor {
		d := v1.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(data), Size: int64(len(data))}
		if err := os.WriteFile(filepath.Join(dir, "blobs", "sha256", d.Digest.Encoded()), data, 0o644); err != nil {
			t.Fatal(err)
		}
		return d
	}
	encode := func(v any) []byte {
		data, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	if err := os.MkdirAll(filepath.Join(dir, "blobs", "sha256"), 0o755); err != nil {
		t.Fatal(err)
	}
	config := v1.Image{Platform: v1.Platform{OS: "linux", Architecture: "amd64"}, RootFS: v1.RootFS{Type: "layers"}}
	manifest := v1.Manifest{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageManifest}
	for _, l := range layers {
		d := put(v1.MediaTypeImageLayer, l)
		manifest.Layers = append(manifest.Layers, d)
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, d.Digest)
	}
	manifest.Config = put(v1.MediaTypeImageConfig, encode(config))
	image := put(v1.MediaTypeImageManifest, encode(manifest))
	image.Annotations = map[string]string{v1.AnnotationRefName: "test"}
	index := v1.Index{Versioned: specs.Versioned{SchemaVersion: 2}, Manifests: []v1.Descriptor{image}}
	for name, data := range map[string][]byte{"index.json": encode(index), "oci-layout": []byte(`{"imageLayoutVersion":"1.0.0"}`)} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestCaptureUmoci lets umoci apply the layers and compares with what the overlay showed.
func TestCaptureUmoci(t *testing.T) {
	testutil.Need(t, "umoci", "setfattr")
	inTiers(t, func(t *testing.T, tier string) {
		base := lowerTree(t)
		low, _ := unpackTo(t, "low", base)
		lowers, blobs := []string{low}, [][]byte{base}
		for i, script := range changes {
			c := step(t, lowers, script)
			lowers, blobs = append([]string{c.upper}, lowers...), append(blobs, c.tar)
			bundle := filepath.Join(newDir(t, "bundle"), "b")
			args := []string{"unpack", "--image", layout(t, blobs...) + ":test", bundle}
			if tier == "single" {
				args = slices.Insert(args, 1, "--rootless")
			}
			if out, err := exec.Command("umoci", args...).CombinedOutput(); err != nil {
				t.Fatalf("umoci after %d steps: %v\n%s", i+1, err, out)
			}
			o := mountOverlay(t, lowers...)
			want := mergedDump(t, o.merged)
			o.unmount(t)
			testutil.SameTrees(t, fmt.Sprintf("umoci after %d steps", i+1), mergedDump(t, filepath.Join(bundle, "rootfs")), want)
		}
	})
}

// TestCaptureGNUTar lets GNU tar extract the layers and compares with what Unpack makes of them.
func TestCaptureGNUTar(t *testing.T) {
	testutil.Need(t, "tar", "setfattr")
	inTiers(t, func(t *testing.T, _ string) {
		low, _ := unpackTo(t, "low", lowerTree(t))
		lowers := []string{low}
		for _, script := range changes {
			c := step(t, lowers, script)
			lowers = append([]string{c.upper}, lowers...)
			dir := newDir(t, "gnu")
			cmd := exec.Command("tar", "-xpf", "-", "--numeric-owner", "--xattrs", "--xattrs-include=*", "-C", dir)
			cmd.Stdin = bytes.NewReader(c.tar)
			if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
				t.Fatalf("tar: %v\n%s", err, out)
			}
			got := testutil.Dump(t, dir)
			for path := range got {
				d, name, _ := cutLast(path)
				if gone, ok := strings.CutPrefix(name, layers.WhiteoutPrefix); ok {
					delete(got, path)
					got[joinPath(d, gone)] = "whiteout"
				}
			}
			want := testutil.Dump(t, c.upper)
			if strings.Contains(want["."], layers.XattrImplied) {
				got["."] = want["."] // it is not in the layer
			}
			testutil.SameTrees(t, "GNU tar", got, want)
		}
	})
}

// TestUnpackGNUTar unpacks what GNU tar writes of a tree with holes, long names and hard links, in its own
// formats.
func TestUnpackGNUTar(t *testing.T) {
	testutil.Need(t, "tar", "setfattr")
	inTiers(t, func(t *testing.T, _ string) {
		low, _ := unpackTo(t, "low", lowerTree(t))
		o := mountOverlay(t, low)
		o.run(t, changes[0]+`
			truncate -s 3M sparse; printf x | dd of=sparse bs=1 seek=1500000 conv=notrunc 2>/dev/null
			truncate -s 1M hole; for i in 1 2 3 4 5 6 7; do printf $i | dd of=holes bs=1 seek=${i}00000 conv=notrunc 2>/dev/null; done
			mkdir `+strings.Repeat("n", 200)+`; touch `+strings.Repeat("n", 200)+"/"+strings.Repeat("m", 240)+`
			ln -s `+strings.Repeat("t", 300)+` longlink`)
		o.unmount(t)
		for _, format := range [][]string{{"--format=gnu", "-S"}, {"--format=posix", "--xattrs"}, {"--format=posix", "-S", "--sparse-version=0.0", "--xattrs"}, {"--format=posix", "-S", "--sparse-version=0.1", "--xattrs"}, {"--format=posix", "-S", "--sparse-version=1.0", "--xattrs"}, {"--format=gnu"}} {
			clean := newDir(t, "clean")
			c := capture(t, o.upper, []string{low}, CaptureOptions{})
			if _, err := Unpack(t.Context(), bytes.NewReader(c.tar), clean, UnpackOptions{}); err != nil {
				t.Fatal(err)
			}
			// Whiteouts are devices, of which tar knows only what mknod wants to hear.
			cmd := exec.Command("sh", "-ec", `find . -type c -delete; touch -d @0 .; exec tar -cf - --sort=name --numeric-owner "$@" .`, "sh")
			cmd.Args = append(cmd.Args, format...)
			cmd.Dir = clean
			var data, said bytes.Buffer
			cmd.Stdout, cmd.Stderr = &data, &said
			if err := cmd.Run(); err != nil {
				t.Fatalf("%v: %v\n%s", format, err, &said)
			}
			got, _ := unpackTo(t, "got", data.Bytes())
			want := testutil.Dump(t, clean)
			want["."] = strings.Replace(want["."], ` user.xtoo.implied=""`, "", 1)
			gotTree := testutil.Dump(t, got)
			if !slices.Contains(format, "--format=posix") { // whole seconds, no xattrs
				for _, tree := range []map[string]string{gotTree, want} {
					for path, line := range tree {
						line, _, _ = strings.Cut(line, " user.")
						f := strings.SplitN(line, " ", 4)
						f[2], _, _ = strings.Cut(f[2], ".")
						tree[path] = strings.Join(f, " ")
					}
				}
			}
			testutil.SameTrees(t, strings.Join(format, " "), gotTree, want)
			if err := errors.Join(RemoveAll(t.Context(), clean), RemoveAll(t.Context(), got)); err != nil {
				t.Fatal(err)
			}
		}
	})
}
