package conformance

import (
	"archive/tar"
	"bytes"
	"slices"
	"strings"
	"testing"

	"xtoo/internal/testutil/layertest"
)

const noWhiteout = "no stage3 has whiteouts"

func whiteouts(t *testing.T) []stream {
	long := strings.Repeat("n", 255)
	return []stream{
		{name: "whiteout", data: of(t, wh(".wh.f")), gate: noWhiteout},
		{name: "whiteout below", data: of(t, folder("a", 0o755), wh("a/.wh.f"), reg("a/g", "x")), gate: noWhiteout},
		{name: "whiteout below what is implied", data: of(t, wh("a/b/.wh.f")), gate: noWhiteout},
		{name: "whiteout of the longest name", data: of(t, wh(".wh."+long)), gate: noWhiteout},
		{name: "whiteout of a longer name", data: of(t, wh(".wh."+long+"n")), refused: "no file system has it"},
		{name: "whiteout as a directory", data: whole(dir(".wh.a/")), gate: noWhiteout},
		{name: "whiteout as something unknown", data: whole(raw(".wh.a", 'V', noBytes)), gate: noWhiteout},
		{name: "whiteout of nobody", data: whole(raw(".wh.a", tar.TypeReg, noBytes, 108, strings.Repeat("\xff", 8))), gate: noWhiteout},
		{name: "whiteout with data", data: of(t, reg(".wh.a", "x"), reg("b", "y")), gate: noWhiteout},
		{name: "whiteout, then the name", data: of(t, wh(".wh.f"), reg("f", "x")), gate: noWhiteout},
		{name: "whiteout after the name", data: of(t, reg("f", "x"), wh(".wh.f")), gate: noWhiteout},
		{name: "whiteout, then a directory", data: of(t, wh(".wh.d"), folder("d", 0o755), reg("d/n", "x")), gate: noWhiteout},
		{name: "whiteout after a directory", data: of(t, folder("d", 0o755), reg("d/n", "x"), wh(".wh.d")), gate: noWhiteout},
		{name: "whiteout, then an implied directory", data: of(t, wh(".wh.d"), reg("d/n", "x")), gate: noWhiteout},
		{name: "whiteout twice", data: of(t, wh(".wh.f"), wh(".wh.f")), gate: noWhiteout},
		{name: "whiteout of nothing", data: whole(file("d/.wh.")), refused: "no name"},
		{name: "whiteout of a dot", data: whole(file(".wh..")), refused: "no name"},
		{name: "whiteout of two dots", data: whole(file(".wh...")), refused: "no name"},
		{name: "whiteout with something in it", data: whole(file(".wh.a/b")), refused: "a whiteout"},
		{name: "whiteout in a whiteout", data: whole(file(".wh.a/.wh.b")), refused: "a whiteout"},
		{name: "opaque", data: of(t, folder("d", 0o755), wh("d/.wh..wh..opq"), reg("d/n", "x")), gate: noWhiteout},
		{name: "opaque at the end", data: of(t, folder("d", 0o755), reg("d/n", "x"), wh("d/.wh..wh..opq")), gate: noWhiteout},
		{name: "opaque alone", data: of(t, wh("d/.wh..wh..opq")), gate: noWhiteout},
		{name: "opaque root", data: of(t, wh(".wh..wh..opq"), reg("n", "x")), gate: noWhiteout},
		{name: "opaque, then a file", data: of(t, wh("d/.wh..wh..opq"), reg("d", "x")), gate: noWhiteout},
		{name: "opaque in a whiteout", data: whole(file(".wh.d/.wh..wh..opq")), refused: "a whiteout"},
		{name: "opaque with whiteouts in it", data: of(t, wh("d/.wh.a"), wh("d/.wh..wh..opq"), wh("d/.wh.b"), wh("d/s/.wh.c")), gate: noWhiteout},
		{name: "names of AUFS", data: of(t, wh(".wh..wh.aufs"), folder(".wh..wh.plnk", 0o700), reg(".wh..wh.plnk/1.2", "x"), reg("a", "a")), gate: noWhiteout},
		{name: "names of AUFS, linked", data: of(t, reg("a", "a"), hard(".wh..wh.plnk/1.2", "a")), gate: noWhiteout},
	}
}

func links(t *testing.T) []stream {
	const lower, gone = "what is in the layer below", "not there any more"
	fifo := layertest.Item{Header: tar.Header{Name: "p", Typeflag: tar.TypeFifo, Mode: 0o644}}
	return []stream{
		{name: "link", data: of(t, reg("a", "x"), hard("b", "a"), hard("./c", "./b"))},
		{name: "link of an empty file", data: of(t, reg("a", ""), hard("b", "a"))},
		{name: "link into a directory", data: of(t, reg("d/a", "x"), hard("e/b", "d//a"))},
		{name: "link to other kinds", data: of(t, sym("s", "x"), hard("s2", "s"), char("c", 1, 3), hard("c2", "c"), fifo, hard("p2", "p"))},
		{name: "link absolute", data: of(t, reg("a", "x"), hard("b", "/a")), gate: "absolute"},
		{name: "link absolute, out", data: of(t, hard("b", "/etc/passwd")), together: "not there"},
		{name: "link up", data: of(t, reg("a", "x"), hard("b", "x/../a")), refused: ".."},
		{name: "link out", data: of(t, hard("b", "../../etc/passwd")), refused: ".."},
		{name: "link to no name", data: whole(file("a"), link(tar.TypeLink, "b", "")), refused: "empty"},
		{name: "link to the root", data: of(t, hard("b", "./")), refused: "the root"},
		{name: "link to the absolute root", data: of(t, hard("b", "/")), refused: "the root"},
		{name: "link to a long name", data: of(t, hard("b", strings.Repeat("n", 256))), refused: "no file system has it"},
		{name: "link to a directory", data: of(t, folder("d", 0o755), hard("b", "d")), together: "a directory"},
		{name: "link to an implied directory", data: of(t, reg("d/x", ""), hard("b", "d")), together: "a directory"},
		{name: "link to nothing", data: of(t, hard("b", "a")), together: "not there"},
		{name: "link to itself", data: of(t, hard("a", "a")), together: "not there"},
		{name: "link to itself, again", data: of(t, reg("a", "x"), hard("a", "a")), gate: "twice"},
		{name: "link in a circle", data: of(t, hard("a", "b"), hard("b", "a")), together: "not there"},
		{name: "link ahead", data: of(t, hard("a", "b"), reg("b", "x")), together: "not there before"},
		{name: "link through a symbolic link", data: of(t, folder("d", 0o755), reg("d/a", "x"), sym("s", "d"), hard("b", "s/a")), together: "through a link"},
		{name: "link through a file", data: of(t, reg("f", "x"), hard("b", "f/a")), together: "not a directory"},
		{name: "link below", data: of(t, hard("b", "below/file")), gate: lower},
		{name: "link below, twice", data: of(t, hard("b", "below/file"), hard("c", "b")), gate: lower},
		{name: "link below, hidden after", data: of(t, hard("b", "below/file"), wh("below/.wh.file")), gate: lower},
		{name: "link below, hidden before", data: of(t, wh("below/.wh.file"), hard("b", "below/file")), together: gone},
		{name: "link below, its directory hidden", data: of(t, wh(".wh.below"), hard("b", "below/file")), together: gone},
		{name: "link below, its directory anew", data: of(t, wh(".wh.below"), folder("below", 0o755), hard("b", "below/file")), together: gone},
		{name: "link below, its directory opaque", data: of(t, wh("below/.wh..wh..opq"), hard("b", "below/file")), together: gone},
		{name: "link below, the root opaque", data: of(t, wh(".wh..wh..opq"), hard("b", "below/file")), together: gone},
		{name: "link below, a file in between", data: of(t, reg("below", ""), hard("b", "below/file")), together: "not a directory"},
		{name: "link to a whiteout", data: of(t, wh(".wh.w"), hard("b", "w")), together: gone},
		{name: "link in place of a file", data: of(t, reg("a", "x"), reg("b", "y"), hard("b", "a")), gate: "twice"},
	}
}

func duplicates(t *testing.T) []stream {
	const twice = "no stage3 has a name twice"
	return []stream{
		{name: "twice a file", data: of(t, reg("a", "1"), reg("z", "z"), reg("./a", "2")), gate: twice},
		{name: "twice a directory", data: of(t, folder("d", 0o700), reg("d/x", "x"), folder("./d/", 0o755)), gate: twice},
		{name: "twice the root", data: of(t, folder("./", 0o700), folder(".", 0o755)), gate: twice},
		{name: "twice a symbolic link", data: of(t, sym("l", "a"), sym("l", "b")), gate: twice},
		{name: "twice unclean", data: whole(file("a/b"), file("a//./b")), gate: twice},
		{name: "twice, a link between", data: of(t, reg("a", "1"), hard("b", "a"), reg("a", "2"), hard("c", "a")), gate: twice},
		{name: "twice, a file for a directory", data: of(t, folder("a", 0o755), reg("a/b", "1"), reg("a", "2")), gate: twice},
		{name: "twice, a file for an implied directory", data: of(t, reg("a/b", "1"), reg("a", "2")), gate: twice},
		{name: "twice, a directory for a file", data: of(t, reg("a", "1"), folder("a", 0o711), reg("a/c", "3")), gate: twice},
		{name: "twice, a directory for a link", data: of(t, sym("below", "x"), folder("below", 0o711)), gate: twice},
		{name: "twice, all of it", data: of(t, folder("a", 0o755), reg("a/b", "1"), reg("a", "2"), folder("a", 0o711), reg("a/c", "3")), gate: twice},
		{name: "twice, a link for a directory", data: of(t, folder("a", 0o755), reg("a/b", "1"), sym("a", "/etc")), gate: twice},
		{name: "twice, through what it became", data: of(t, folder("a", 0o755), reg("a/b", "1"), sym("a", "/etc"), reg("a/passwd", "x")), together: "through a link"},
	}
}

func ends(t *testing.T) []stream {
	const end = "a stage3 ends as it should"
	good := of(t, reg("a", "x"), folder("d", 0o755), reg("d/b", strings.Repeat("y", 1000)))
	size := len(good) - 2*block
	bad := bytes.Clone(good)
	bad[0]++
	return []stream{
		{name: "end", data: good},
		{name: "end with more zeros", data: append(bytes.Clone(good), make([]byte, 20*block)...)},
		{name: "end with something behind", data: append(bytes.Clone(good), bytes.Repeat([]byte("x"), block)...), gate: end},
		{name: "end with something odd behind", data: append(bytes.Clone(good), 'x'), gate: end},
		{name: "end missing", data: good[:size], gate: end},
		{name: "end half missing", data: good[:size+block], gate: end},
		{name: "end in padding", data: good[:size-5], gate: end},
		{name: "end right behind the data", data: good[:size-24], gate: end},
		{name: "end in data", data: good[:size-30], refused: "cut short"},
		{name: "end in the first data", data: good[:block], refused: "cut short"},
		{name: "end in a header", data: good[:100], refused: "cut short"},
		{name: "end in a later header", data: good[:3*block+7], refused: "cut short"},
		{name: "end of a single zero block", data: slices.Concat(file("a"), make([]byte, block), file("b"), make([]byte, 2*block)), refused: "no archive"},
		{name: "end of nothing", data: whole()},
		{name: "no stream", data: nil, gate: "no tar"},
		{name: "no tar", data: []byte(strings.Repeat("text ", 500)), refused: "no tar"},
		{name: "wrong checksum", data: bad, refused: "damaged"},
		{name: "wrong checksum later", data: slices.Concat(file("a"), bytes.Repeat([]byte("x"), block)), refused: "damaged"},
		{name: "extension without a member", data: whole(extended('x', record("path", "b"))), gate: "of nothing"},
	}
}

func sparse(*testing.T) []stream {
	one := func(records string, size string, data ...[]byte) []byte {
		return whole(extended('x', records, append([][]byte{raw("x", tar.TypeReg, size)}, data...)...))
	}
	v01 := record("GNU.sparse.map", "10,3") + record("GNU.sparse.numblocks", "1") + record("GNU.sparse.size", "1000")
	v10 := record("GNU.sparse.major", "1") + record("GNU.sparse.minor", "0") + record("GNU.sparse.realsize", "1000") + record("GNU.sparse.name", "s")
	old := raw("old", 'S', "00000000003\x00", 257, "ustar  \x00", 386, "00000000012\x0000000000003\x00", 483, "00000001750\x00")
	return []stream{
		{name: "sparse 0.1", data: one(v01, "00000000003\x00", pad([]byte("abc")))},
		{name: "sparse 1.0", data: one(v10, "00000001003\x00", pad([]byte("1\n10\n3\n")), pad([]byte("abc")))},
		{name: "sparse old", data: whole(old, pad([]byte("abc")))},
		{name: "sparse, too much data", data: one(v01, "00000000004\x00", pad([]byte("abcd"))), content: "does not fit"},
		{name: "sparse, too little data", data: one(v01, "00000000002\x00", pad([]byte("ab"))), content: "does not fit"},
		{name: "sparse without a map", data: one(v10, "00000001000\x00", pad([]byte("x"))), refused: "malformed"},
		{name: "sparse symbolic link", data: whole(extended('x', v10, link(tar.TypeSymlink, "a", "b"))), refused: "malformed"},
	}
}

// shared are images of the tests of layers/merge: their top layers alone.
func shared(t *testing.T) []stream {
	var all []stream
	for _, c := range layertest.Cases {
		if len(c.Layers) == 1 && strings.Contains(c.Name, "link") {
			all = append(all, stream{name: "image: " + c.Name, data: of(t, c.Layers[0]...), gate: gateOf[c.Name]})
		}
	}
	return all
}

// gateOf says why the gate refuses images of the shared table.
var gateOf = map[string]string{
	"hard link with a leading slash": "absolute", "link between duplicates": "twice", "link over a duplicate": "twice", "hard link to itself": "twice",
}
