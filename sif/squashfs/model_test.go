package squashfs

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// facts is what two views of one file must agree on.
type facts struct {
	Mode, UID, GID, Major, Minor, Links uint32
	Time                                int64
	Target, Data                        string // Data: size and digest
	Xattrs                              string
	Same                                string // the first path, in byte order, of the same inode
}

func dataFact(t testing.TB, r io.Reader) string {
	t.Helper()
	h := sha256.New()
	n, err := io.Copy(h, r)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d %s", n, hex.EncodeToString(h.Sum(nil)[:8]))
}

func xattrFact(attrs map[string]string) string {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(attrs)) {
		fmt.Fprintf(&b, "%s=%x ", k, sha256.Sum256([]byte(attrs[k])))
	}
	return b.String()
}

// expect works out what a sequence of items must look like.
func expect(t testing.TB, o Options, items ...item) map[string]facts {
	t.Helper()
	all := map[string]facts{}
	implicit := facts{Mode: modeDir | 0o755, Links: 2, Time: int64(unixTime(o.ModTime))}
	groups := map[string][]string{} // first added path → all paths
	first := map[string]string{}
	all["."] = implicit
	for _, it := range items {
		p := clean(it.Path)
		for d := path.Dir(p); p != "."; d = path.Dir(d) {
			if _, ok := all[d]; !ok {
				all[d] = implicit
			}
			if d == "." {
				break
			}
		}
		if it.link != "" {
			of := first[clean(it.link)]
			first[p] = of
			groups[of] = append(groups[of], p)
			all[p] = all[of]
			continue
		}
		f := facts{
			Mode: it.Mode, UID: it.UID, GID: it.GID, Links: 1, Time: int64(unixTime(it.ModTime)),
			Xattrs: xattrFact(it.Xattrs),
		}
		switch it.Mode & modeType {
		case modeSymlink:
			f.Target = it.Target
		case modeDir:
			f.Links = 2
		case modeFile:
			f.Data = dataFact(t, bytes.NewReader(it.data))
		case modeChar, modeBlock:
			f.Major, f.Minor = it.Major, it.Minor
		}
		all[p] = f
		first[p], groups[p] = p, []string{p}
	}
	for _, paths := range groups {
		slices.Sort(paths)
		for _, p := range paths {
			f := all[p]
			if f.Mode&modeType != modeDir {
				f.Links, f.Same = uint32(len(paths)), paths[0]
			}
			all[p] = f
		}
	}
	for p, f := range all {
		if d := path.Dir(p); p != "." && f.Mode&modeType == modeDir {
			df := all[d]
			df.Links++
			all[d] = df
		}
	}
	return all
}

// readFacts is the Reader's view.
func readFacts(t testing.TB, r *Reader) map[string]facts {
	t.Helper()
	all := map[string]facts{}
	byNumber := map[uint32][]string{}
	err := r.Walk(func(f *File) error {
		attrs, err := f.ReadXattrs()
		if err != nil {
			return err
		}
		v := facts{
			Mode: f.Mode, UID: f.UID, GID: f.GID, Major: f.Major, Minor: f.Minor, Links: f.Links,
			Time: f.ModTime.Unix(), Target: f.Target, Xattrs: xattrFact(attrs),
		}
		if f.typ == typeFile {
			v.Data = dataFact(t, f.Data())
		}
		if f.typ != typeDir {
			byNumber[f.Number] = append(byNumber[f.Number], f.Path)
		}
		all[f.Path] = v
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	sameInode(all, byNumber)
	return all
}

func sameInode[K comparable](all map[string]facts, groups map[K][]string) {
	for _, paths := range groups {
		first := slices.Min(paths)
		for _, p := range paths {
			f := all[p]
			f.Same = first
			all[p] = f
		}
	}
}

// diskFacts is the view of a mounted or extracted filesystem.
func diskFacts(t testing.TB, root string) map[string]facts {
	t.Helper()
	all := map[string]facts{}
	byNumber := map[uint64][]string{}
	err := filepath.WalkDir(root, func(p string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var st unix.Stat_t
		if err := unix.Lstat(p, &st); err != nil {
			return err
		}
		v := facts{Mode: st.Mode, UID: st.Uid, GID: st.Gid, Links: uint32(st.Nlink), Time: st.Mtim.Sec}
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		switch st.Mode & modeType {
		case modeSymlink:
			if v.Target, err = os.Readlink(p); err != nil {
				return err
			}
		case modeChar, modeBlock:
			v.Major, v.Minor = unix.Major(st.Rdev), unix.Minor(st.Rdev)
		case modeFile:
			f, err := os.Open(p)
			if err != nil {
				return err
			}
			v.Data = dataFact(t, f)
			f.Close()
		}
		if st.Mode&modeType != modeDir {
			byNumber[st.Ino] = append(byNumber[st.Ino], rel)
		}
		attrs, err := diskXattrs(p)
		if err != nil {
			return err
		}
		v.Xattrs = xattrFact(attrs)
		all[rel] = v
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	sameInode(all, byNumber)
	return all
}

func diskXattrs(p string) (map[string]string, error) {
	names := make([]byte, 1<<16)
	n, err := unix.Llistxattr(p, names)
	if errors.Is(err, syscall.ENOTSUP) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list xattrs of %q: %w", p, err)
	}
	attrs := map[string]string{}
	for name := range strings.SplitSeq(strings.TrimRight(string(names[:n]), "\x00"), "\x00") {
		if name == "" {
			continue
		}
		value := make([]byte, 1<<17)
		n, err := unix.Lgetxattr(p, name, value)
		if errors.Is(err, syscall.ENODATA) {
			continue // listed by mistake; a comparison finds it missing
		}
		if err != nil {
			return nil, fmt.Errorf("read xattr %q of %q: %w", name, p, err)
		}
		attrs[name] = string(value[:n])
	}
	return attrs, nil
}

// sameFacts compares two views; prune changes each fact before it is compared.
func sameFacts(t testing.TB, what string, got, want map[string]facts, prune func(*facts)) {
	t.Helper()
	bad := 0
	for _, p := range slices.Sorted(maps.Keys(want)) {
		g, ok := got[p]
		w := want[p]
		if prune != nil {
			prune(&g)
			prune(&w)
		}
		if !ok {
			t.Errorf("%s: %q is missing", what, p)
		} else if g != w {
			t.Errorf("%s: %q:\n got %+v\nwant %+v", what, p, g, w)
		} else {
			continue
		}
		if bad++; bad > 20 {
			t.Fatalf("%s: and more", what)
		}
	}
	for p := range got {
		if _, ok := want[p]; !ok {
			t.Errorf("%s: %q should not be there", what, p)
		}
	}
}
