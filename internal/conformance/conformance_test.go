package conformance

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"xtoo/internal/testutil"
	"xtoo/internal/testutil/layertest"
	"xtoo/layers"
	"xtoo/unpack"
)

var epoch = time.Unix(0, 0)

// A stream of the corpus, and what its users do with it. Empty columns: all of them take it.
type stream struct {
	name string
	data []byte
	// refused says why all users refuse it: what a member says of itself, or the stream.
	refused string
	// together says why all but the import refuse it: what its members say together. An import looks at each alone.
	together string
	// content says why all but the import refuse it: data that are not what the headers say. An import passes them by.
	content string
	// gate says why the gate refuses it nevertheless: no stage3 has such a thing.
	gate string
	// lost are attributes that no user takes over, by the path of the member.
	lost map[string][]string
}

func TestConformance(t *testing.T) {
	if !testutil.InNamespace(t) {
		return
	}
	all := slices.Concat(names(t), kinds(t), numbers(t), attributes(t), whiteouts(t), links(t), duplicates(t), ends(t), sparse(t), shared(t))
	if len(all) < 150 {
		t.Errorf("the corpus has %d streams only", len(all))
	}
	seen := map[string]bool{}
	for _, s := range all {
		if seen[s.name] {
			t.Errorf("%s is there twice", s.name)
		}
		seen[s.name] = true
		t.Run(s.name, func(t *testing.T) { s.check(t) })
	}
}

// check sends a stream through all its users.
func (s stream) check(t *testing.T) {
	members, readErr := read(t, s.data)
	below := under(t, members)
	dir, treeErr := unpacked(t, s.data, below)
	_, mergeErr := merged(t.Context(), s.data, below)
	importErr := imported(t, s.data)
	var kept bytes.Buffer
	sum, gateErr := unpack.Copy(t.Context(), &kept, bytes.NewReader(s.data), unpack.CopyOptions{})
	for _, u := range []struct {
		user    string
		err     error
		refuses bool
	}{
		{"the reader", readErr, s.refused+s.content != ""},
		{"the import", importErr, s.refused != ""},
		{"the tree", treeErr, s.refused+s.content+s.together != ""},
		{"the merge", mergeErr, s.refused+s.content+s.together != ""},
		{"the gate", gateErr, s.refused+s.content+s.together+s.gate != ""},
	} {
		if (u.err != nil) != u.refuses {
			t.Errorf("%s: refused: %v, want %v (%s%s%s%s)", u.user, u.err, u.refuses, s.refused, s.content, s.together, s.gate)
		}
	}
	if gateErr == nil {
		s.checkGate(t, members, kept.Bytes(), sum)
	}
	if treeErr == nil && mergeErr == nil && readErr == nil {
		s.checkMembers(t, members, dir, below)
	}
}

// checkGate: what the gate lets through is the stream itself, and it has seen the members that the others see.
func (s stream) checkGate(t *testing.T, members []layers.Member, kept []byte, sum unpack.Summary) {
	t.Helper()
	var newest time.Time
	for i, m := range members {
		if i == 0 || m.ModTime.After(newest) {
			newest = m.ModTime
		}
	}
	if !bytes.Equal(kept, s.data) || sum.Entries != int64(len(members)) || !sum.Newest.Equal(newest) {
		t.Errorf("the gate sees %d members up to %s, not %d up to %s", sum.Entries, sum.Newest, len(members), newest)
	}
}

// checkMembers: directory and merge have the same names, each the same thing, and hide the same.
func (s stream) checkMembers(t *testing.T, members []layers.Member, dir *dirTree, below []byte) {
	t.Helper()
	alone, err := merged(t.Context(), s.data)
	if err != nil {
		// A hard link into the layer below: there is no such merge.
		if alone, err = merged(t.Context(), s.data, below); err != nil {
			t.Fatal(err)
		}
		of := map[string]int{}
		for p, is := range alone {
			if _, ok := dir.files[p]; !ok {
				delete(alone, p)
				continue
			}
			_, first, _ := strings.Cut(is, " is ")
			of[first]++
		}
		for p, is := range alone { // the file below is another name of the links in the merge, and no name in the directory
			if is, first, ok := strings.Cut(is, " is "); ok && of[first] == 1 {
				alone[p] = is
			}
		}
	}
	list := regexp.MustCompile(` "system\.posix_acl_(access|default)"="([^"\\]|\\.)*"`)
	for _, m := range members { // a merge gives names to nobody who could keep the list
		if len(m.Named) > 0 {
			dir.files[m.Path] = list.ReplaceAllString(dir.files[m.Path], "")
		}
	}
	for _, p := range slices.Sorted(maps.Keys(union(alone, dir.files))) {
		if alone[p] != dir.files[p] {
			t.Errorf("%q\n merge %s\n tree  %s", p, alone[p], dir.files[p])
		}
	}
	lost := map[string][]string{}
	for _, m := range members {
		if len(m.Lost) > 0 {
			lost[m.Path] = m.Lost
		}
	}
	if !maps.EqualFunc(lost, s.lost, slices.Equal) {
		t.Errorf("lost %q, want %q", lost, s.lost)
	}
	both, err := merged(t.Context(), s.data, below)
	if err != nil {
		t.Fatal(err)
	}
	low, err := merged(t.Context(), below)
	if err != nil {
		t.Fatal(err)
	}
	for p, is := range low {
		if _, own := dir.files[p]; own || strings.HasPrefix(is, "04") {
			continue
		}
		if shown := both[p] != ""; shown == dir.hides(p) {
			t.Errorf("%q of the layer below: shown by the merge: %v, hidden by the directory: %v", p, shown, dir.hides(p))
		}
	}
}

// hides reports whether the directory hides what a lower layer has at p.
func (d *dirTree) hides(p string) bool {
	if d.gone[p] || d.opaque[""] {
		return true
	}
	for dir := path.Dir(p); dir != "."; dir = path.Dir(dir) {
		if is := d.files[dir]; d.gone[dir] || d.opaque[dir] || is != "" && !strings.HasPrefix(is, "04") {
			return true
		}
	}
	return false
}

func union(a, b result) result {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

// read reads the members of a stream.
func read(t *testing.T, data []byte) ([]layers.Member, error) {
	t.Helper()
	r := layers.NewReader(t.Context(), bytes.NewReader(data))
	var all []layers.Member
	for {
		m, err := r.Next()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return all, err
		}
		all = append(all, *m)
		if _, err := io.Copy(io.Discard, io.LimitReader(r, 1<<20)); err != nil {
			return all, err
		}
	}
}

// under makes a layer with something for every whiteout to hide, and a file that links of the corpus are to.
func under(t *testing.T, members []layers.Member) []byte {
	t.Helper()
	items := []layertest.Item{layertest.Reg("below/file", "of the layer below")}
	seen := map[string]bool{"below/file": true, "below": true}
	add := func(p string) {
		for d := path.Dir(p); d != "."; d = path.Dir(d) {
			if slices.ContainsFunc(items, func(i layertest.Item) bool { return i.Name == d }) {
				return // below a file
			}
			seen[d] = true
		}
		if !seen[p] {
			seen[p] = true
			items = append(items, layertest.Reg(p, "hidden"))
		}
	}
	for _, m := range members {
		switch m.Kind {
		case layers.Whiteout:
			add(m.Path + "/x")
			add(path.Dir(m.Path) + "/beside")
		case layers.Opaque:
			add(path.Join(m.Path, "opaque", "x"))
			add(path.Join(m.Path, "y"))
		}
	}
	return layertest.Tar(t, items...)
}
