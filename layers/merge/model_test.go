package merge

import (
	"archive/tar"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"testing"

	"xtoo/internal/testutil"
	"xtoo/internal/testutil/layertest"
	"xtoo/layers"
)

// A model unpacks layers one over the other, lowest first, as the image specification tells it: what the merge
// does from the other end.
type model struct{ files map[string]*modelFile }

type modelFile struct {
	typ    byte
	mode   int64
	text   string // data or target
	broken bool   // a hard link to nothing
}

var errModel = errors.New("refused")

func (m *model) removeTree(name string, itself bool) {
	for n := range m.files {
		if itself && n == name || strings.HasPrefix(n, name+"/") || name == "" {
			delete(m.files, n)
		}
	}
}

// layer unpacks one layer.
func (m *model) layer(items []item) error {
	lower := maps.Clone(m.files)
	for _, it := range items {
		dir, base := layers.Split(it.Name)
		if base == ".wh..wh..opq" {
			m.removeTree(dir, false)
		} else if hidden, ok := strings.CutPrefix(base, layers.WhiteoutPrefix); ok {
			m.removeTree(path.Join(dir, hidden), true)
		}
	}
	seen := map[string]*modelFile{} // of this layer, the latest by name
	var cut []string                // what the layer has hidden by now; with a slash at the end, what is below it
	var holding []string            // directories with whiteouts
	for _, it := range items {
		dir, base := layers.Split(it.Name)
		hidden, whiteout := strings.CutPrefix(base, layers.WhiteoutPrefix)
		if blocked(dir, seen) {
			if whiteout {
				continue // nothing is left to hide
			}
			return errModel
		}
		if whiteout {
			if base == ".wh..wh..opq" {
				hidden = ""
			}
			holding = append(holding, dir)
			cut = append(cut, path.Join(dir, hidden)+"/")
			if hidden != "" {
				cut = append(cut, path.Join(dir, hidden))
			}
			continue
		}
		f := &modelFile{typ: it.Typeflag, mode: it.Mode, text: it.Data + it.Linkname}
		if it.Typeflag == tar.TypeLink {
			to, here := seen[it.Linkname]
			switch {
			case it.Linkname == it.Name && here && to.typ != tar.TypeDir:
				continue
			case it.Linkname == it.Name || here && to.typ == tar.TypeDir:
				return errModel
			case !here && isCut(it.Linkname, cut, seen):
				return errModel
			case !here:
				if to = lower[it.Linkname]; to == nil || to.typ == tar.TypeDir {
					to = &modelFile{typ: tar.TypeReg, broken: true}
				}
			}
			f = to
		}
		if old := seen[it.Name]; old != nil && old.typ != tar.TypeDir && f.typ == tar.TypeDir {
			cut = append(cut, it.Name+"/")
		}
		seen[it.Name] = f
		m.place(it.Name, f)
	}
	for _, dir := range holding {
		if !blocked(dir, seen) && !isCut(dir, cut, seen) {
			m.parents(path.Join(dir, "x"))
		}
	}
	return nil
}

// blocked reports whether a layer has something else than a directory at dir, or above it.
func blocked(dir string, seen map[string]*modelFile) bool {
	for ; dir != ""; dir, _ = layers.Split(dir) {
		if f := seen[dir]; f != nil && f.typ != tar.TypeDir {
			return true
		}
	}
	return false
}

// isCut reports whether a layer has hidden by now what lower layers have at name.
func isCut(name string, cut []string, seen map[string]*modelFile) bool {
	if dir, _ := layers.Split(name); blocked(dir, seen) {
		return true
	}
	return slices.ContainsFunc(cut, func(c string) bool {
		return name == c || c == "/" || strings.HasSuffix(c, "/") && strings.HasPrefix(name, c)
	})
}

func (m *model) place(name string, f *modelFile) {
	m.parents(name)
	if old := m.files[name]; old != nil && (old.typ != tar.TypeDir || f.typ != tar.TypeDir) {
		m.removeTree(name, true)
	}
	m.files[name] = f
}

// parents makes the directories above name where there are none.
func (m *model) parents(name string) {
	for d, _ := layers.Split(name); d != ""; d, _ = layers.Split(d) {
		if old := m.files[d]; old == nil || old.typ != tar.TypeDir {
			m.files[d] = &modelFile{typ: tar.TypeDir, mode: 0o755}
		}
	}
}

func (m *model) lines() ([]string, error) {
	first := map[*modelFile]string{}
	var out []string
	for _, name := range slices.Sorted(maps.Keys(m.files)) {
		f := m.files[name]
		line := name + " = " + f.text
		switch {
		case f.broken:
			return nil, errModel
		case f.typ == tar.TypeDir:
			line = fmt.Sprintf("%s/ %#o", name, f.mode)
		case f.typ == tar.TypeSymlink:
			line = name + " -> " + f.text
		}
		if first[f] == "" {
			first[f] = name
		} else {
			line += " @ " + first[f]
		}
		out = append(out, line)
	}
	return out, nil
}

// randomLayer makes a layer of few names, so that they meet.
func randomLayer(r *rand.Rand, n int, tag string) []item {
	name := func() string {
		p := string("abc"[r.IntN(3)])
		for r.IntN(2) == 0 && len(p) < 5 {
			p += "/" + string("abc"[r.IntN(3)])
		}
		return p
	}
	var items []item
	for i := range r.IntN(n) + 1 {
		p := name()
		dir, base := layers.Split(p)
		switch r.IntN(10) {
		case 0:
			items = append(items, wh(path.Join(dir, layers.WhiteoutPrefix+base)))
		case 1:
			items = append(items, wh(path.Join(dir, ".wh..wh..opq")))
		case 2, 3, 6:
			items = append(items, folder(p, 0o700+int64(r.IntN(64))))
		case 4:
			items = append(items, sym(p, "to "+tag))
		case 5:
			target := name()
			if len(items) > 0 && r.IntN(4) > 0 {
				target = items[r.IntN(len(items))].Name
			}
			items = append(items, hard(p, target))
		default:
			items = append(items, reg(p, fmt.Sprintf("%s%d", tag, i)))
		}
	}
	return items
}

// Random layers come out of the merge as the model unpacks them.
func TestMergeAgainstModel(t *testing.T) {
	rounds := 400
	if testutil.IsLong() {
		rounds = 20000
	}
	refused, scanned, again := 0, 0, 0
	for seed := range rounds {
		r := rand.New(rand.NewPCG(uint64(seed), 1))
		var stack [][]item // topmost first
		for i := range r.IntN(4) + 1 {
			stack = append(stack, randomLayer(r, 3+seed%8, string(rune('A'+i))))
		}
		m := &model{files: map[string]*modelFile{}}
		var want []string
		var wantErr error
		for _, l := range slices.Backward(stack) {
			if wantErr = m.layer(l); wantErr != nil {
				break
			}
		}
		if wantErr == nil {
			want, wantErr = m.lines()
		}
		mem, view, err := merge(layertest.Case{Layers: stack}.Tars(t)...)
		if wantErr != nil {
			refused++
		} else {
			scanned += view.Scans
			again += view.SecondPasses
		}
		if (err != nil) != (wantErr != nil) || err == nil && !slices.Equal(mem.lines(), want) {
			for i, l := range stack {
				for _, it := range l {
					t.Logf("layer %d: %c %s %s %s", i, it.Typeflag, it.Name, it.Linkname, it.Data)
				}
			}
			t.Fatalf("seed %d: %v\n\t%s\nwant %v\n\t%s", seed, err, strings.Join(mem.lines(), "\n\t"), wantErr, strings.Join(want, "\n\t"))
		}
	}
	t.Logf("%d rounds, %d refused, %d scans, %d second passes", rounds, refused, scanned, again)
	if refused > rounds*3/4 || scanned == 0 || again == 0 {
		t.Error("the rounds do not reach what they are for")
	}
}

// Whatever a layer holds, the merge ends, and nothing it packs is outside the root or was packed before.
func FuzzMerge(f *testing.F) {
	for _, c := range layertest.Cases {
		tars := c.Tars(f)
		f.Add(tars[0], tars[len(tars)-1])
	}
	f.Fuzz(func(t *testing.T, top, base []byte) {
		if len(top)+len(base) > 1<<16 {
			t.Skip("too long")
		}
		mem, _, _ := merge(top, base)
		for name, file := range mem.files {
			if name != path.Join(".", name) && name != "" || path.IsAbs(name) || name == ".." || strings.HasPrefix(name, "../") {
				t.Errorf("packed %q", name)
			}
			if file.Size < 0 || len(file.names) == 0 {
				t.Errorf("packed %+v", file)
			}
		}
	})
}
