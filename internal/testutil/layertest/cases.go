package layertest

import "testing"

// A Case is an image, topmost layer first, and what is visible in it.
type Case struct {
	Name   string
	Layers [][]Item
	Want   []string
	Scans  int
	Second int
	// Umoci says what `umoci unpack` does otherwise; "" when it agrees.
	Umoci string
}

// Cases are images that are read in every way there is.
var Cases = []Case{
	{Name: "one layer", Layers: [][]Item{{Dir("./", 0o755), Dir("./d/", 0o700), Reg("./d/f", "x"), Sym("l", "d/f"), Char("c", 5, 1)}},
		Want: []string{"c c 5:1", "d/ 0700", "d/f = x", "l -> d/f"}},
	{Name: "whiteout of a file", Layers: [][]Item{{Wh(".wh.f")}, {Reg("f", "x"), Reg("g", "y")}},
		Want: []string{"g = y"}},
	{Name: "whiteout of a tree", Layers: [][]Item{{Wh("a/.wh.b")}, {Dir("a", 0o755), Dir("a/b", 0o755), Reg("a/b/c", "x"), Reg("a/bc", "y")}},
		Want: []string{"a/ 0755", "a/bc = y"}},
	{Name: "whiteout of nothing", Layers: [][]Item{{Wh(".wh.x"), Dir("a", 0o755), Wh("a/.wh.y")}, {Dir("a", 0o700), Reg("a/z", "z")}},
		Want: []string{"a/ 0755", "a/z = z"}},
	{Name: "whiteout beside what it hides", Layers: [][]Item{{Reg("f", "new"), Wh(".wh.f"), Wh(".wh.d"), Dir("d", 0o755), Reg("d/n", "new")},
		{Reg("f", "old"), Dir("d", 0o700), Reg("d/o", "old")}},
		Want: []string{"d/ 0755", "d/n = new", "f = new"}},
	{Name: "whiteout counts below its layer only", Layers: [][]Item{{Dir("a", 0o755), Reg("a/y", "y")}, {Wh(".wh.a")}, {Dir("a", 0o700), Reg("a/x", "x")}},
		Want: []string{"a/ 0755", "a/y = y"}},
	{Name: "whiteout, then the name again", Layers: [][]Item{{Reg("f", "new")}, {Wh(".wh.f")}, {Reg("f", "old")}},
		Want: []string{"f = new"}},
	{Name: "opaque at the start", Layers: [][]Item{{Dir("d", 0o755), Wh("d/.wh..wh..opq"), Reg("d/n", "n")}, {Dir("d", 0o700), Dir("d/s", 0o755), Reg("d/s/o", "o")}},
		Want: []string{"d/ 0755", "d/n = n"}},
	{Name: "opaque at the end", Layers: [][]Item{{Dir("d", 0o755), Dir("d/s", 0o755), Reg("d/s/n", "n"), Wh("d/.wh..wh..opq")},
		{Dir("d", 0o700), Dir("d/s", 0o700), Reg("d/s/o", "o"), Reg("d/p", "p")}},
		Want: []string{"d/ 0755", "d/s/ 0755", "d/s/n = n"}},
	{Name: "opaque without its directory", Layers: [][]Item{{Wh("d/.wh..wh..opq")}, {Dir("d", 0o700), Reg("d/o", "o")}, {Reg("d/p", "p")}},
		Want: []string{"d/ 0700"}},
	{Name: "opaque root", Layers: [][]Item{{Wh(".wh..wh..opq"), Reg("n", "n")}, {Reg("o", "o")}},
		Want: []string{"n = n"}},
	{Name: "whiteout below what has become a link", Layers: [][]Item{{Sym("a", "usr"), Wh("a/.wh.b"), Wh("a/.wh..wh..opq")}, {Dir("a", 0o755), Reg("a/b", "b"), Dir("usr", 0o755), Reg("usr/b", "u")}},
		Want: []string{"a -> usr", "usr/ 0755", "usr/b = u"}, Umoci: "it follows the link"},
	{Name: "whiteout below what becomes a link", Layers: [][]Item{{Wh("a/.wh.b"), Sym("a", "usr")}, {Dir("a", 0o755), Reg("a/b", "b"), Dir("usr", 0o755), Reg("usr/b", "u")}},
		Want: []string{"a -> usr", "usr/ 0755", "usr/b = u"}, Scans: 2},
	{Name: "whiteout below what has become a file", Layers: [][]Item{{Reg("a", "now"), Wh("a/.wh.b"), Wh("a/.wh..wh..opq")}, {Dir("a", 0o755), Reg("a/b", "b")}},
		Want: []string{"a = now"}},
	{Name: "whiteout below what is deleted", Layers: [][]Item{{Wh(".wh.a"), Wh("a/.wh.b"), Wh("a/s/.wh.c"), Wh("a/.wh..wh..opq"), Reg("k", "k")}, {Dir("a", 0o711), Reg("a/b", "b"), Dir("a/s", 0o711), Reg("a/s/c", "c")}},
		Want: []string{"k = k"}},
	{Name: "whiteout below what is deleted afterwards", Layers: [][]Item{{Wh("a/s/.wh.c"), Wh("a/.wh.b"), Wh(".wh.a"), Reg("k", "k")}, {Dir("a", 0o711), Reg("a/b", "b"), Dir("a/s", 0o711), Reg("a/s/c", "c")}},
		Want: []string{"k = k"}},
	{Name: "deleted, and implied anew", Layers: [][]Item{{Wh(".wh.a"), Reg("a/n", "n"), Wh("a/.wh.b")}, {Dir("a", 0o711), Reg("a/b", "b"), Reg("a/o", "o")}},
		Want: []string{"a/ 0755", "a/n = n"}},
	{Name: "implied anew, and deleted", Layers: [][]Item{{Reg("a/n", "n"), Wh(".wh.a")}, {Dir("a", 0o711), Reg("a/o", "o")}},
		Want: []string{"a/ 0755", "a/n = n"}, Umoci: "it takes the mode of what it has deleted"},
	{Name: "whiteout in a directory that nobody has", Layers: [][]Item{{Wh("z/.wh.q")}, {Reg("f", "x")}},
		Want: []string{"f = x", "z/ 0755"}, Umoci: "it makes no directory for it"},
	{Name: "absolute names", Layers: [][]Item{{Dir("/", 0o755), Wh("/d/.wh.g"), Reg("/d/n", "n"), Hard("/d/l", "/d/f")}, {Dir("d", 0o711), Reg("d/f", "f"), Reg("d/g", "g")}},
		Want: []string{"d/ 0711", "d/f = f", "d/l = f @ d/f", "d/n = n"}},
	{Name: "missing parents, three names deep", Layers: [][]Item{{Reg("a/b/c/n", "n"), Hard("a/b/l", "a/b/c/o")}, {Dir("a", 0o711), Dir("a/b", 0o701), Dir("a/b/c", 0o710), Reg("a/b/c/o", "o")}},
		Want: []string{"a/ 0711", "a/b/ 0701", "a/b/c/ 0710", "a/b/c/n = n", "a/b/c/o = o", "a/b/l = o @ a/b/c/o"}},
	{Name: "file over directory", Layers: [][]Item{{Reg("d", "now a file")}, {Dir("d", 0o755), Dir("d/e", 0o755), Reg("d/e/f", "x")}},
		Want: []string{"d = now a file"}},
	{Name: "directory over file", Layers: [][]Item{{Dir("d", 0o755), Reg("d/x", "x")}, {Reg("d", "was a file")}},
		Want: []string{"d/ 0755", "d/x = x"}},
	{Name: "directory over symbolic link", Layers: [][]Item{{Dir("lib", 0o755), Reg("lib/n", "n")}, {Dir("usr", 0o755), Dir("usr/lib", 0o755), Sym("lib", "usr/lib"), Reg("usr/lib/o", "o")}},
		Want: []string{"lib/ 0755", "lib/n = n", "usr/ 0755", "usr/lib/ 0755", "usr/lib/o = o"}},
	{Name: "implied directory over symbolic link", Layers: [][]Item{{Reg("lib/n", "n")}, {Dir("usr", 0o755), Dir("usr/lib", 0o755), Sym("lib", "usr/lib")}},
		Want: []string{"lib/ 0755", "lib/n = n", "usr/ 0755", "usr/lib/ 0755"}, Umoci: "it follows the link"},
	{Name: "symbolic link over directory", Layers: [][]Item{{Sym("lib", "usr/lib")}, {Dir("lib", 0o755), Reg("lib/o", "o")}},
		Want: []string{"lib -> usr/lib"}},
	{Name: "file, directory and file again", Layers: [][]Item{{Reg("x", "3")}, {Dir("x", 0o755), Reg("x/y", "2")}, {Reg("x", "1")}},
		Want: []string{"x = 3"}},
	{Name: "directory, file and directory again", Layers: [][]Item{{Dir("x", 0o755), Reg("x/n", "3")}, {Reg("x", "2")}, {Dir("x", 0o700), Reg("x/o", "1")}},
		Want: []string{"x/ 0755", "x/n = 3"}},
	{Name: "upper metadata wins", Layers: [][]Item{{Dir("d", 0o1777)}, {Dir("d", 0o700), Reg("d/f", "x")}},
		Want: []string{"d/ 01777", "d/f = x"}},
	{Name: "missing parents", Layers: [][]Item{{Reg("a/b/n", "n")}, {Reg("a/c/o", "o"), Dir("a", 0o711)}},
		Want: []string{"a/ 0711", "a/b/ 0755", "a/b/n = n", "a/c/ 0755", "a/c/o = o"}},
	{Name: "missing parent of what is hidden", Layers: [][]Item{{Wh("a/.wh.x")}, {Reg("a/x", "x")}, {Reg("a", "was a file")}},
		Want: []string{"a/ 0755"}, Umoci: "it refuses files in place of missing parents"},
	{Name: "missing parents of what is hidden, hidden too", Layers: [][]Item{{Wh("a/.wh.b")}, {Reg("a/b/x", "x")}, {Dir("a", 0o700), Reg("a/b", "")}},
		Want: []string{"a/ 0700"}, Umoci: "it refuses files in place of missing parents"},
	{Name: "three layers of one file", Layers: [][]Item{{Reg("f", "3")}, {Reg("f", "2")}, {Reg("f", "1")}}, Want: []string{"f = 3"}},

	{Name: "hard link", Layers: [][]Item{{Reg("a", "x"), Hard("b", "a"), Hard("./c", "./b")}},
		Want: []string{"a = x", "b = x @ a", "c = x @ a"}},
	{Name: "hard link with a leading slash", Layers: [][]Item{{Reg("a", "x"), Hard("b", "/a")}}, Want: []string{"a = x", "b = x @ a"}},
	{Name: "hard link, both names replaced", Layers: [][]Item{{Reg("a", "1"), Reg("b", "2")}, {Reg("a", "x"), Hard("b", "a")}}, Want: []string{"a = 1", "b = 2"}},
	{Name: "hard link replaced", Layers: [][]Item{{Reg("b", "new")}, {Reg("a", "x"), Hard("b", "a")}}, Want: []string{"a = x", "b = new"}},
	{Name: "target of a hard link replaced", Layers: [][]Item{{Reg("a", "new")}, {Reg("a", "old"), Reg("z", "z"), Hard("b", "a"), Hard("c", "a")}},
		Want: []string{"a = new", "b = old", "c = old @ b", "z = z"}, Second: 1},
	{Name: "target of a hard link removed", Layers: [][]Item{{Wh(".wh.a")}, {Reg("a", "old"), Hard("b", "a")}},
		Want: []string{"b = old"}, Second: 1},
	{Name: "target of a hard link hidden with its directory", Layers: [][]Item{{Wh(".wh.d")}, {Dir("d", 0o755), Reg("d/a", "old"), Hard("b", "d/a")}},
		Want: []string{"b = old"}, Second: 1},
	{Name: "target of a hard link became a directory", Layers: [][]Item{{Dir("a", 0o755), Reg("a/x", "x")}, {Reg("a", "old"), Hard("b", "a")}},
		Want: []string{"a/ 0755", "a/x = x", "b = old"}, Second: 1},
	{Name: "chain of hard links, the middle hidden", Layers: [][]Item{{Reg("b", "new")}, {Reg("a", "old"), Hard("b", "a"), Hard("c", "b")}},
		Want: []string{"a = old", "b = new", "c = old @ a"}},
	{Name: "chain of hard links, only its end visible", Layers: [][]Item{{Reg("a", "1"), Reg("b", "2")}, {Reg("a", "old"), Hard("b", "a"), Hard("c", "b"), Hard("d", "c")}},
		Want: []string{"a = 1", "b = 2", "c = old", "d = old @ c"}, Second: 1},
	{Name: "hard link to a lower layer", Layers: [][]Item{{Hard("b", "a")}, {Reg("a", "low")}}, Want: []string{"a = low", "b = low @ a"}},
	{Name: "hard link to a lower layer, hidden above", Layers: [][]Item{{Reg("a", "top")}, {Hard("b", "a"), Hard("c", "b")}, {Reg("a", "low"), Hard("d", "a")}},
		Want: []string{"a = top", "b = low", "c = low @ b", "d = low @ b"}},
	{Name: "hard link to a hard link of a lower layer", Layers: [][]Item{{Hard("c", "b")}, {Reg("a", "low"), Hard("b", "a")}},
		Want: []string{"a = low", "b = low @ a", "c = low @ a"}},
	{Name: "hard link to a hidden hard link of a lower layer", Layers: [][]Item{{Wh(".wh.a"), Wh(".wh.b")}, {Hard("c", "b")}, {Reg("a", "low"), Hard("b", "a")}},
		Want: []string{"c = low"}, Second: 1},
	{Name: "hard link to a lower layer, in which it has one more name above", Layers: [][]Item{{Hard("x", "a")}, {Hard("y", "a")}, {Reg("a", "low")}},
		Want: []string{"a = low", "x = low @ a", "y = low @ a"}},
	{Name: "hard link before its target in the same layer", Layers: [][]Item{{Hard("b", "a"), Reg("a", "new")}, {Reg("a", "low")}},
		Want: []string{"a = new", "b = low"}},
	{Name: "hard link that its own layer removes the target of", Layers: [][]Item{{Hard("b", "a"), Wh(".wh.a")}, {Reg("a", "low")}},
		Want: []string{"b = low"}},
	{Name: "hard links to a symbolic link and a device", Layers: [][]Item{{Wh(".wh.c")}, {Sym("s", "x"), Hard("t", "s"), Char("c", 1, 3), Hard("d", "c")}},
		Want: []string{"d c 1:3", "s -> x", "t -> x @ s"}, Second: 1},

	{Name: "duplicate file", Layers: [][]Item{{Reg("a", "1"), Reg("z", "z"), Reg("a", "2")}}, Want: []string{"a = 2", "z = z"}, Scans: 1},
	{Name: "duplicate in a hidden file", Layers: [][]Item{{Reg("a", "top")}, {Reg("a", "1"), Reg("a", "2"), Hard("b", "a")}},
		Want: []string{"a = top", "b = 2"}, Scans: 1, Second: 1},
	{Name: "duplicate directory", Layers: [][]Item{{Dir("d", 0o700), Reg("d/x", "x"), Dir("d", 0o755)}}, Want: []string{"d/ 0755", "d/x = x"}, Scans: 1},
	{Name: "link between duplicates", Layers: [][]Item{{Reg("a", "1"), Hard("b", "a"), Reg("a", "2"), Hard("c", "a")}},
		Want: []string{"a = 2", "b = 1", "c = 2 @ a"}, Scans: 1, Second: 1},
	{Name: "link over a duplicate", Layers: [][]Item{{Reg("a", "1"), Reg("b", "2"), Hard("b", "a")}}, Want: []string{"a = 1", "b = 1 @ a"}, Scans: 1},
	{Name: "hard link to itself", Layers: [][]Item{{Reg("a", "1"), Hard("a", "a")}}, Want: []string{"a = 1"}, Umoci: "it removes what it is about to link"},
	{Name: "directory replaced in its own layer", Layers: [][]Item{{Dir("a", 0o755), Reg("a/b", "1"), Reg("a", "2")}}, Want: []string{"a = 2"}, Scans: 1},
	{Name: "implied directory replaced in its own layer", Layers: [][]Item{{Reg("a/b", "1"), Reg("a", "2")}}, Want: []string{"a = 2"}, Scans: 1},
	{Name: "directory, file, directory in one layer", Layers: [][]Item{{Dir("a", 0o755), Reg("a/b", "1"), Reg("a", "2"), Dir("a", 0o711), Reg("a/c", "3")}},
		Want: []string{"a/ 0711", "a/c = 3"}, Scans: 1},
	{Name: "duplicates below a good layer", Layers: [][]Item{{Reg("t", "t")}, {Reg("a", "1"), Reg("a", "2")}, {Reg("u", "u")}},
		Want: []string{"a = 2", "t = t", "u = u"}, Scans: 2},
	{Name: "names of AUFS", Layers: [][]Item{{Wh(".wh..wh.aufs"), Dir(".wh..wh.plnk", 0o700), Reg(".wh..wh.plnk/1.2", "x"), Reg("a", "a")}}, Want: []string{"a = a"}, Umoci: "it unpacks them"},
}

// Tars makes the streams of the layers, topmost first.
func (c Case) Tars(t testing.TB) [][]byte {
	var out [][]byte
	for _, l := range c.Layers {
		out = append(out, Tar(t, l...))
	}
	return out
}
