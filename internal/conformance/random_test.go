package conformance

import (
	"archive/tar"
	"fmt"
	"maps"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"time"

	"xtoo/internal/testutil/layertest"
	"xtoo/layers"
)

// A maker makes images of random layers that fit each other: what a builder could have written, if a strange one.
type maker struct {
	r *rand.Rand
	// files has what is visible so far, by path: a type of archive/tar.
	files map[string]byte
	// own has what the layer has by now, whiteouts aside, and implied the directories that it only implies.
	own map[string]byte
	// cut are the paths that the layer has hidden by now; with a slash at the end, what is below them.
	cut map[string]bool
}

// What the members of random images are called: names that mean something to shells, to tar and to terminals, but not
// to layers.
var oddNames = []string{"a", "b", "c", "d", "e", " ", "a b", "-rf", "ä", "\xff\xfe", "a\nb", "..a", ".wh", ".whx", "x.wh.y", "%s", `a\b`, "a:b", "a=b",
	strings.Repeat("n", 100), strings.Repeat("o", 200)}

// randomImage makes an image of several layers, bottom first.
func randomImage(seed uint64) (image [][]layertest.Item) {
	k := &maker{r: rand.New(rand.NewPCG(seed, 24)), files: map[string]byte{}}
	for i := range 2 + k.r.IntN(4) {
		image = append(image, k.layer(i))
	}
	return image
}

func (k *maker) layer(number int) []layertest.Item {
	k.own, k.cut = map[string]byte{}, map[string]bool{}
	var items []layertest.Item
	for range 3 + k.r.IntN(14) {
		items = append(items, k.members(number)...)
	}
	return items
}

// one reports true once in n times.
func (k *maker) one(n int) bool { return k.r.IntN(n) == 0 }

func pick[T any](k *maker, of []T) T { return of[k.r.IntN(len(of))] }

// place chooses a path: below a directory that is there, or below new ones.
func (k *maker) place() string {
	dirs := []string{""}
	for _, p := range slices.Sorted(maps.Keys(k.files)) {
		if k.files[p] == tar.TypeDir {
			dirs = append(dirs, p)
		}
	}
	p := path.Join(pick(k, dirs), pick(k, oddNames))
	for k.one(4) {
		p = path.Join(p, pick(k, oddNames))
	}
	return p
}

// visible chooses something that is there and is of one of some types.
func (k *maker) visible(types ...byte) (string, bool) {
	var all []string
	for _, p := range slices.Sorted(maps.Keys(k.files)) {
		if slices.Contains(types, k.files[p]) {
			all = append(all, p)
		}
	}
	if len(all) == 0 {
		return "", false
	}
	return pick(k, all), true
}

// members makes the next members: mostly one, and sometimes the directories that lead to it.
func (k *maker) members(number int) []layertest.Item {
	switch k.r.IntN(12) {
	case 0, 1:
		return k.whiteout()
	case 2:
		if p, ok := k.visible(tar.TypeReg, tar.TypeSymlink, tar.TypeFifo, tar.TypeChar); ok {
			return k.link(p)
		}
	case 3:
		if p, ok := k.visible(tar.TypeDir, tar.TypeReg, tar.TypeSymlink); ok && k.one(2) { // another type, or the same once more
			return k.put(p, number)
		}
	case 4:
		if k.one(8) {
			return []layertest.Item{k.dressed(layertest.Dir("./", 0o700+int64(k.r.IntN(64))))}
		}
		if k.one(4) {
			return []layertest.Item{layertest.Wh(".wh..wh.aufs")}
		}
	}
	return k.put(k.place(), number)
}

// leads makes sure that what leads to p can: by members for directories in place of something else, and, two times of
// three, for new ones.
func (k *maker) leads(p string) (items []layertest.Item, ok bool) {
	dir, _ := layers.Split(p)
	for end := 0; end < len(dir); {
		if i := strings.IndexByte(dir[end+1:], '/'); i >= 0 {
			end += 1 + i
		} else {
			end = len(dir)
		}
		d := dir[:end]
		if k.own[d] != 0 && k.own[d] != tar.TypeDir {
			return nil, false // the layer has something else there
		}
		if is := k.files[d]; is != tar.TypeDir && (is != 0 || !k.one(3)) || k.cut[d] && k.own[d] == 0 {
			items = append(items, k.dressed(layertest.Dir(d, 0o711)))
			k.clear(d)
		}
		k.own[d], k.files[d] = tar.TypeDir, tar.TypeDir
	}
	return items, true
}

// clear forgets what is at p and below.
func (k *maker) clear(p string) {
	for q := range k.files {
		if q == p || strings.HasPrefix(q, p+"/") {
			delete(k.files, q)
			delete(k.own, q)
		}
	}
}

// put makes an entry of a random kind.
func (k *maker) put(p string, number int) []layertest.Item {
	items, ok := k.leads(p)
	if !ok {
		return nil
	}
	var it layertest.Item
	switch k.r.IntN(9) {
	case 0, 1, 2:
		it = layertest.Reg(p, strings.Repeat(fmt.Sprintf("%d %d\n", number, k.r.IntN(100)), k.r.IntN(500)))
	case 3, 4:
		it = layertest.Dir(p, 0o755)
	case 5:
		it = layertest.Sym(p, pick(k, []string{"a", "../b", "/usr/c", "/", "\xff", "nothing here"}))
	case 6:
		it = layertest.Char(p, int64(k.r.IntN(4)), int64(1+k.r.IntN(4)))
	case 7:
		it = layertest.Item{Header: tar.Header{Name: p, Typeflag: tar.TypeBlock, Devmajor: 7, Devminor: int64(k.r.IntN(300))}}
	default:
		it = layertest.Item{Header: tar.Header{Name: p, Typeflag: tar.TypeFifo}}
	}
	if it.Typeflag != tar.TypeDir || k.files[p] != tar.TypeDir {
		k.clear(p)
	}
	k.own[p], k.files[p] = it.Typeflag, it.Typeflag
	return append(items, k.dressed(it))
}

// link makes another name of what is at target: of this layer, or of one below.
func (k *maker) link(target string) []layertest.Item {
	p := k.place()
	if p == target || strings.HasPrefix(target, p+"/") || strings.HasPrefix(p, target+"/") || k.files[p] == tar.TypeDir {
		return nil
	}
	items, ok := k.leads(p)
	if !ok {
		return nil
	}
	k.clear(p)
	k.own[p], k.files[p] = k.files[target], k.files[target]
	if k.one(4) {
		target = "/" + target
	}
	return append(items, layertest.Hard(p, target))
}

// whiteout hides something of a layer below, or nothing.
func (k *maker) whiteout() []layertest.Item {
	p, ok := k.visible(tar.TypeReg, tar.TypeDir, tar.TypeSymlink, tar.TypeFifo, tar.TypeBlock)
	if !ok || k.one(4) {
		p = k.place()
	}
	for q := range k.own {
		if q == p || strings.HasPrefix(q, p+"/") {
			return nil // what the layer itself has is not hidden
		}
	}
	opaque := k.files[p] == tar.TypeDir && k.one(3)
	if opaque {
		items, ok := k.leads(p + "/x")
		if !ok {
			return nil
		}
		for q := range k.files {
			if strings.HasPrefix(q, p+"/") {
				delete(k.files, q)
			}
		}
		k.cut[p+"/"] = true
		return append(items, layertest.Wh(p+"/.wh..wh..opq"))
	}
	dir, base := layers.Split(p)
	if dir != "" && k.files[dir] != tar.TypeDir {
		return nil // umoci does not make the directories of whiteouts
	}
	items, ok := k.leads(p)
	if !ok {
		return nil
	}
	for _, q := range slices.Sorted(maps.Keys(k.files)) { // a whiteout of what is in it, too, as some builders write
		if strings.HasPrefix(q, p+"/") && k.one(3) {
			in, name := layers.Split(q)
			items = append(items, layertest.Wh(path.Join(in, layers.WhiteoutPrefix+name)))
		}
	}
	k.clear(p)
	k.cut[p] = true
	return append(items, layertest.Wh(path.Join(dir, layers.WhiteoutPrefix+base)))
}

// dressed gives an entry owners, modes, times and attributes.
func (k *maker) dressed(it layertest.Item) layertest.Item {
	it = it.WithTime(time.Unix(1e9+int64(k.r.IntN(1000)), 0))
	if it.Typeflag != tar.TypeSymlink {
		it = it.WithMode(pick(k, []int64{0o644, 0o600, 0o755, 0o4755, 0o2755, 0o1777, 0o700, 0o2770, 0o444}))
	}
	switch k.r.IntN(6) {
	case 0:
		it = it.WithOwner(k.r.IntN(1000), k.r.IntN(1000))
	case 1:
		it = it.WithOwner(0, 100)
	case 2:
		if k.one(2) {
			it = it.WithOwner(1885580785, 4000000000)
		}
	}
	if it.Typeflag == tar.TypeReg || it.Typeflag == tar.TypeDir {
		if k.one(5) {
			it = it.WithXattr("user.note", strings.Repeat("v", k.r.IntN(30)))
		}
		if k.one(8) {
			it = it.WithXattr("trusted.note", "t")
		}
	}
	if it.Typeflag == tar.TypeReg && k.one(8) {
		it = it.WithXattr("security.capability", "\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00")
	}
	return it
}
