package conformance

import (
	"archive/tar"
	"strings"
	"testing"
	"time"

	"xtoo/internal/testutil/layertest"
)

var (
	reg    = layertest.Reg
	folder = layertest.Dir
	sym    = layertest.Sym
	hard   = layertest.Hard
	char   = layertest.Char
	wh     = layertest.Wh
)

func names(t *testing.T) []stream {
	deep := strings.Repeat("d/", 2100)
	return []stream{
		{name: "name plain", data: of(t, reg("a", "x"), folder("d", 0o700), reg("d/b", "y"))},
		{name: "name with dots", data: of(t, folder("./", 0o711), folder("./d/", 0o755), reg("./d/f", "x"))},
		{name: "name of the root only", data: of(t, folder(".", 0o750))},
		{name: "name unclean", data: whole(file("a//b"), file("./a/./c"), dir("././d//"), dir(".//e"))},
		{name: "name with dots inside", data: whole(file("..a"), file("a..b/..."), file(".wh"), file(".whx"), file("x.wh.y"))},
		{name: "name with spaces and letters", data: of(t, reg("ä ö/ü", ""), reg(" ", ""), reg("a\nb", ""))},
		{name: "name not in UTF-8", data: whole(file("\xff\xfe"))},
		{name: "name of 100 bytes", data: of(t, reg(strings.Repeat("n", 100), ""))},
		{name: "name with a prefix", data: of(t, reg(strings.Repeat("p", 120)+"/"+strings.Repeat("n", 99), ""))},
		{name: "name of 255 bytes", data: of(t, reg(strings.Repeat("n", 255), "x"))},
		{name: "name of 255 bytes by GNU", data: whole(extended('L', strings.Repeat("n", 255)+"\x00", file("n")))},
		{name: "name of 255 bytes, a directory", data: of(t, reg(strings.Repeat("n", 255)+"/x", "x"))},
		{name: "name long", data: whole(extended('L', strings.Repeat("n/", 200)+"x\x00", file("n")))},
		{name: "name longer than a path", data: of(t, reg(deep+"f", "x")), gate: "nobody could open it"},
		{name: "name of 256 bytes", data: of(t, reg(strings.Repeat("n", 256), "")), refused: "no file system has it"},
		{name: "name of 256 bytes above", data: of(t, reg(strings.Repeat("n", 256)+"/x", "")), refused: "no file system has it"},
		{name: "name empty", data: whole(dir("")), gate: "empty"},
		{name: "name empty of a file", data: whole(file("")), refused: "the root is no directory"},
		{name: "name of the root as a file", data: whole(file(".")), refused: "the root is no directory"},
		{name: "name of the root as a link", data: whole(link(tar.TypeSymlink, "./", "/etc")), refused: "the root is no directory"},
		{name: "name of the root as a hard link", data: whole(file("a"), link(tar.TypeLink, ".", "a")), refused: "the root is no directory"},
		{name: "name absolute", data: whole(file("/etc/passwd")), gate: "absolute"},
		{name: "name absolute by pax", data: whole(extended('x', record("path", "/etc/passwd"), file("a"))), gate: "absolute"},
		{name: "name absolute by GNU", data: whole(extended('L', "/etc/passwd\x00", file("a"))), gate: "absolute"},
		{name: "name absolute root", data: whole(dir("/")), gate: "absolute"},
		{name: "name up", data: whole(file("../x")), refused: ".."},
		{name: "name up inside", data: whole(file("a/../x")), refused: ".."},
		{name: "name up at the end", data: whole(dir("a/..")), refused: ".."},
		{name: "name up after a dot", data: whole(file("./../x")), refused: ".."},
		{name: "name up of a whiteout", data: whole(file("../.wh.x")), refused: ".."},
		{name: "name with a zero byte by pax", data: whole(extended('x', record("path", "a\x00b"), file("a"))), refused: "malformed"},
		{name: "name of a file with a slash", data: whole(file("a/")), gate: "a directory's name"},
		{name: "name of a link with a slash", data: whole(link(tar.TypeSymlink, "a/", "b")), gate: "a directory's name"},
		{name: "name of an old directory", data: whole(raw("a/", 0, noBytes))},
		{name: "name of an old file", data: whole(raw("a", 0, noBytes))},
	}
}

func kinds(t *testing.T) []stream {
	owned := reg("owned", "x")
	owned.Uid, owned.Gid = 1000, 1<<21+1
	early, fine := reg("early", ""), reg("fine", "")
	early.ModTime, fine.ModTime = time.Unix(-12345, 678000000), time.Unix(1655424000, 123456789)
	set, group, sticky := reg("su", "x"), folder("mail", 0o2775), folder("tmp", 0o1777)
	set.Mode, group.Gid = 0o4711, 8
	inGroup := reg("mail/roots", "x")
	fifo := layertest.Item{Header: tar.Header{Name: "fifo", Typeflag: tar.TypeFifo, Mode: 0o622}}
	loop := layertest.Item{Header: tar.Header{Name: "loop", Typeflag: tar.TypeBlock, Mode: 0o660, Gid: 6, Devmajor: 7}}
	foreign := sym("foreign", "x")
	foreign.Uid, foreign.Gid = 250, 251
	long := reg("big", strings.Repeat("0123456789", 40000)+string(make([]byte, 1<<20))+"end")
	return []stream{
		{name: "kind file", data: of(t, reg("empty", ""), reg("x", "x"), reg("block", strings.Repeat("b", 512)), long)},
		{name: "kind file of mode 0", data: whole(raw("x", tar.TypeReg, noBytes, 100, "0000000\x00"))},
		{name: "kind directory", data: of(t, folder("a", 0o1), folder("a/b", 0o777), folder("a/b/c", 0o555))},
		{name: "kind symbolic link", data: of(t, sym("a", "b"), sym("b", "/etc/../../x"), sym("c", "."), sym("d", strings.Repeat("t", 200)))},
		{name: "kind symbolic link, its mode", data: whole(raw("a", tar.TypeSymlink, noBytes, 100, "0000600\x00", 157, "b"))},
		{name: "kind symbolic link, its longest", data: of(t, sym("a", strings.Repeat("t", 4095)))},
		{name: "kind symbolic link, too long", data: of(t, sym("a", strings.Repeat("t", 4096))), refused: "no kernel has it"},
		{name: "kind symbolic link to nothing", data: whole(link(tar.TypeSymlink, "a", "")), refused: "empty"},
		{name: "kind character device", data: of(t, char("console", 5, 1), char("big", 4095, 1<<20-1))},
		{name: "kind device 0:0", data: of(t, char("zero", 0, 0)), gate: "a whiteout in a layer directory"},
		{name: "kind block device", data: of(t, loop)},
		{name: "kind fifo", data: of(t, fifo)},
		{name: "kind contiguous", data: whole(raw("a", '7', noBytes)), gate: "no stage3 has them"},
		{name: "kind of a vendor", data: whole(raw("a", 'V', noBytes)), refused: "unknown"},
		{name: "kind of old Solaris", data: whole(extended('X', record("path", "b"), file("a"))), refused: "unknown"},
		{name: "kind zero to nine", data: whole(raw("a", '8', noBytes)), refused: "unknown"},
		{name: "kind file of star's", data: whole(raw("x", tar.TypeReg, "00000000003\x00", 257, "ustar\x0000", 345, "of/"+strings.Repeat("p", 120),
			476, "14253057340 ", 488, "14253057340 ", 508, "tar\x00"), pad([]byte("abc")))},
		{name: "kind file of star's, before 1970", data: whole(raw("x", tar.TypeReg, "00000000003\x00", 136, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe",
			257, "ustar\x0000", 345, "of/star", 476, "00000000000 ", 488, "00000000000 ", 508, "tar\x00"), pad([]byte("abc")))},
		{name: "kind directory with data", data: whole(raw("b", tar.TypeDir, "00000001000\x00")), gate: "two readings"},
		{name: "kind hard link with a size", data: whole(file("a"), raw("b", tar.TypeLink, "00000001000\x00", 157, "a")), gate: "two readings"},
		{name: "kind special modes", data: of(t, set, group, inGroup, sticky)},
		{name: "kind foreign owners", data: of(t, owned, foreign)},
		{name: "kind odd times", data: of(t, early, fine)},
		{name: "order parents first", data: of(t, folder("a", 0o711), folder("a/b", 0o722), reg("a/b/c", "x"))},
		{name: "order parents last", data: of(t, reg("a/b/c", "x"), folder("a/b", 0o722), folder("a", 0o711))},
		{name: "order parents never", data: of(t, reg("a/b/c", "x"), reg("a/d/e", "y"))},
		{name: "order of the root", data: of(t, reg("a", "x"), folder("./", 0o700))},
		{name: "order zigzag", data: of(t, folder("a", 0o755), folder("b", 0o755), reg("a/1", ""), reg("b/1", ""), reg("a/2", ""), reg("b/2", ""))},
		{name: "order below a symbolic link", data: whole(link(tar.TypeSymlink, "a", "/etc"), file("a/passwd")), together: "through a link"},
		{name: "order below a deep symbolic link", data: whole(link(tar.TypeSymlink, "x/a", "/etc"), file("x/a/b/c")), together: "through a link"},
		{name: "order below a file", data: whole(file("a"), file("a/b")), together: "not a directory"},
		{name: "order below a fifo", data: whole(raw("a", tar.TypeFifo, noBytes), dir("a/b")), together: "not a directory"},
		{name: "order below a hard link", data: whole(file("f"), link(tar.TypeLink, "a", "f"), file("a/b")), together: "not a directory"},
		{name: "order whiteout below a symbolic link", data: whole(link(tar.TypeSymlink, "a", "/etc"), file("a/.wh.x")), gate: "a whiteout"},
	}
}

func numbers(t *testing.T) []stream {
	field := func(off int, text string) []byte { return whole(raw("a", tar.TypeReg, noBytes, off, text)) }
	ff := strings.Repeat("\xff", 12)
	return []stream{
		{name: "number highest device", data: whole(node(tar.TypeBlock, "0007777", "3777777"))},
		{name: "number major", data: whole(node(tar.TypeChar, "0010000", "0")), refused: "12 bits"},
		{name: "number minor", data: whole(node(tar.TypeBlock, "1", "4000000")), refused: "20 bits"},
		{name: "number negative minor", data: whole(node(tar.TypeBlock, "1", ff[:8])), refused: "negative"},
		{name: "number device of a file", data: whole(raw("a", tar.TypeReg, noBytes, 329, "0010000\x00"))},
		{name: "number highest owner", data: field(108, "\x80\x00\x00\x00\xff\xff\xff\xfe")},
		{name: "number no owner", data: field(108, "\x80\x00\x00\x00\xff\xff\xff\xff"), refused: "-1"},
		{name: "number negative owner", data: field(108, ff[:8]), refused: "negative"},
		{name: "number large group", data: field(116, "\x80\x00\x00\x01\x00\x00\x00\x00"), refused: "33 bits"},
		{name: "number no owner of a link", data: whole(raw("a", tar.TypeSymlink, noBytes, 108, "\x80\x00\x00\x00\xff\xff\xff\xff", 157, "b")), refused: "-1"},
		{name: "number no owner of a hard link", data: whole(file("f"), raw("a", tar.TypeLink, noBytes, 108, "\x80\x00\x00\x00\xff\xff\xff\xff", 157, "f")), refused: "-1"},
		{name: "number owner by pax", data: whole(extended('x', record("uid", "70000")+record("gid", "4294967294"), file("a")))},
		{name: "number no owner by pax", data: whole(extended('x', record("uid", "4294967295"), file("a"))), refused: "-1"},
		{name: "number mode with a type", data: field(100, "0100644\x00")},
		{name: "number negative mode", data: field(100, ff[:8]), gate: "out of range"},
		{name: "number negative size", data: whole(raw("a", tar.TypeReg, ff)), refused: "negative"},
		{name: "number absurd size", data: whole(raw("a", tar.TypeReg, "\x80\x00\x00\x00\x7f\xff\xff\xff\xff\xff\xff\xff")), refused: "nothing follows"},
		{name: "number size beyond 63 bits", data: whole(raw("a", tar.TypeReg, "\x80\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00")), refused: "no number"},
		{name: "number size of nines", data: whole(raw("a", tar.TypeReg, "9999")), refused: "no number"},
		{name: "number size by pax", data: whole(extended('x', record("size", "3"), raw("a", tar.TypeReg, "00000000003\x00"), pad([]byte("abc"))))},
		{name: "number negative size by pax", data: whole(extended('x', record("size", "-1"), file("a"))), refused: "negative"},
		{name: "number hexadecimal size by pax", data: whole(extended('x', record("size", "0x10"), file("a"))), refused: "no number"},
		{name: "number time by pax", data: whole(extended('x', record("mtime", "1655337600.25"), file("a")))},
		{name: "number time malformed", data: whole(extended('x', record("mtime", "1.x"), file("a"))), refused: "no number"},
	}
}

func attributes(t *testing.T) []stream {
	const caps2 = "\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	const caps3 = "\x01\x00\x00\x03\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xe8\x03\x00\x00"
	const s, l, ours = "SCHILY.xattr.", "LIBARCHIVE.xattr.", "it is nobody's"
	acl := "user::rw-\nuser:7:rw-\ngroup::r--\nmask::rw-\nother::r--\n"
	f := func(records ...string) []byte { return of(t, withPAX(reg("f", "x"), records...)) }
	d := func(records ...string) []byte { return of(t, withPAX(folder("f", 0o775), records...)) }
	lost := func(names ...string) map[string][]string { return map[string][]string{"f": names} }
	return []stream{
		{name: "attribute of a user", data: f(s+"user.note", "a\x01b", s+"user.empty", "")},
		{name: "attribute with a zero byte", data: f(s+"user.note", "a\x00b")},
		{name: "attribute of a directory", data: d(s+"user.note", "x")},
		{name: "attribute trusted", data: f(s+"trusted.note", "x")},
		{name: "attribute of a security module", data: f(s+"security.selinux", "label")},
		{name: "attribute capability", data: f(s+"security.capability", caps2)},
		{name: "attribute capability of a namespace", data: f(s+"security.capability", caps3)},
		{name: "attribute by libarchive", data: f(l+"user.note", "bm90ZQ")},
		{name: "attribute by libarchive, padded", data: f(l+"user.note", "bm90ZQ==")},
		{name: "attribute by libarchive, its name", data: f(l+"user.a%20b%25", "eA")},
		{name: "attribute in both forms", data: f(s+"user.note", "one", l+"user.note", "dHdv")},
		{name: "attribute by libarchive, a capability", data: f(l+"security.capability", "AQAAAwAgAAAAAAAAAAAAAAAAAADoAwAA")},
		{name: "attribute by libarchive, no base64", data: f(l+"user.note", "*"), lost: lost("user.note"), gate: "does not parse"},
		{name: "attribute by libarchive, no percents", data: f(l+"user.%zz", "eA"), lost: lost(l + "user.%zz"), gate: "does not parse"},
		{name: "attribute by libarchive, a zero byte", data: f(l+"user.%00", "eA"), lost: lost(l + "user.%00"), gate: "no name"},
		{name: "attribute without a name", data: f(s, "x"), lost: lost(s), gate: "no name"},
		{name: "attribute with a long name", data: f(s+"user."+strings.Repeat("n", 251), "x"), lost: lost(s + "user." + strings.Repeat("n", 251)), gate: "no kernel holds it"},
		{name: "attribute with a long value", data: f(s+"user.note", strings.Repeat("v", 1<<16+1)), lost: lost(s + "user.note"), gate: "no kernel holds it"},
		{name: "attribute opaque", data: d(s+"user.overlay.opaque", "y"), lost: lost("user.overlay.opaque"), gate: ours},
		{name: "attribute opaque by libarchive", data: d(l+"user.overlay.opaque", "eQ"), lost: lost("user.overlay.opaque"), gate: ours},
		{name: "attribute trusted opaque", data: d(s+"trusted.overlay.opaque", "y"), lost: lost("trusted.overlay.opaque"), gate: ours},
		{name: "attribute redirect", data: d(s+"user.overlay.redirect", "/etc"), lost: lost("user.overlay.redirect"), gate: ours},
		{name: "attribute owner", data: f(s+"user.rootlesscontainers", "x"), lost: lost("user.rootlesscontainers"), gate: ours},
		{name: "attribute device", data: of(t, withPAX(reg("f", ""), s+"user.xtoo.device", "c 1 3")), lost: lost("user.xtoo.device"), gate: ours},
		{name: "attribute mode", data: d(s+"user.xtoo.mode", "555"), lost: lost("user.xtoo.mode"), gate: ours},
		{name: "attribute implied", data: d(s+"user.xtoo.implied", ""), lost: lost("user.xtoo.implied"), gate: ours},
		{name: "attribute kept", data: f(s+"user.xtoo.xattr.user.x", "x"), lost: lost("user.xtoo.xattr.user.x"), gate: ours},
		{name: "attribute of another of our names", data: f(s+"user.xtoo.probe", "x")},
		{name: "attribute that is a list", data: of(t, withPAX(layertest.Item{Header: tar.Header{Name: "f", Typeflag: tar.TypeReg, Mode: 0o664}}, "SCHILY.acl.access", acl))},
		{name: "attribute that is a short list", data: f("SCHILY.acl.access", "u::rw-,g::r--,o::r--")},
		{name: "attribute that is a default list", data: d("SCHILY.acl.default", "user::rwx\ngroup::r-x\ngroup:0:rwx\nmask::rwx\nother::r-x\n")},
		{name: "attribute that is a default list of three", data: d("SCHILY.acl.default", "user::rwx\ngroup::rwx\nother::---\n")},
		{name: "attribute that is an unreadable list", data: f("SCHILY.acl.access", "user:7:rwz\nuser::rw-\n"), lost: lost("SCHILY.acl.access"), gate: "does not parse"},
		{name: "attribute that is a list with names of nobody", data: f("SCHILY.acl.access", "user:who:rwx\nuser::rw-\ngroup::r--\nother::---\n")},
		{name: "attribute that is a list of another kind", data: f("SCHILY.acl.ace", "owner@:rwx::allow")},
		{name: "attribute of a hard link", data: of(t, reg("f", "x"), withPAX(hard("g", "f"), s+"user.note", "x"))},
		{name: "record unknown", data: f("VENDOR.key", "x", "comment", "y")},
		{name: "record twice", data: whole(extended('x', record("path", "a")+record("path", "b"), file("a"))), gate: "two readings"},
		{name: "record broken", data: whole(extended('x', "99 path=a\n", file("a"))), refused: "malformed"},
		{name: "record without a key", data: whole(extended('x', "5 =a\n", file("a"))), refused: "malformed"},
		{name: "record without a newline", data: whole(extended('x', "9 path=ab", file("a"))), refused: "malformed"},
		{name: "record global", data: whole(extended('g', record("comment", "0123abc"), file("a")))},
		{name: "record global path", data: whole(extended('g', record("path", "../x"), file("a"))), gate: "two readings"},
		{name: "record in two headers", data: whole(extended('x', record("path", "a"), extended('x', record("path", "b"), file("a")))), gate: "two readings"},
		{name: "record and a long name", data: whole(extended('L', "a\x00", extended('x', record("path", "b"), file("a")))), gate: "two readings"},
	}
}
