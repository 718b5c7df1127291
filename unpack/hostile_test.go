package unpack

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"xtoo/internal/testutil"
	"xtoo/layers"
)

func TestHostile(t *testing.T) {
	file := func(name string) []byte { return rawHeader(name, tar.TypeReg, size0) }
	dir := func(name string) []byte { return rawHeader(name, tar.TypeDir, size0) }
	link := func(name string, typ byte, to string) []byte { return rawHeader(name, typ, size0, 157, to) }
	dev := func(typ byte, major, minor string) []byte {
		return rawHeader("dev/x", typ, size0, 329, major+"\x00", 337, minor+"\x00")
	}
	withField := func(off int, text string) []byte { return rawHeader("a", tar.TypeReg, size0, off, text) }
	j := func(pieces ...[]byte) []byte { return bytes.Join(pieces, nil) }
	ok := "" // the stream is fine

	for name, tc := range map[string]struct {
		data []byte
		want string // part of the message
	}{
		"plain":                    {j(dir("./"), dir("a/"), file("a/b")), ok},
		"no dot":                   {j(dir("."), dir("a"), file("./a/b")), ok},
		"odd but clean":            {j(file("a//b"), file("./a/./c"), dir("././d//")), ok},
		"late directory":           {j(file("a/b/c"), dir("a/b"), dir("a")), ok},
		"symlink anywhere":         {j(link("a", tar.TypeSymlink, "/etc/../../x")), ok},
		"hard link":                {j(file("a"), link("./b", tar.TypeLink, "./a"), link("c", tar.TypeLink, "b")), ok},
		"dots in names":            {j(file("..a"), file("a..b/..."), file(".whx")), ok},
		"harmless global":          {extended('g', record("comment", "0123abc"), file("a")), ok},
		"highest device":           {dev(tar.TypeBlock, "0007777", "3777777"), ok},
		"highest owner":            {withField(108, "\x80\x00\x00\x00\xff\xff\xff\xfe"), ok},
		"mode with type":           {withField(100, "0100644\x00"), ok},
		"old directory":            {rawHeader("a/", 0, size0), ok},
		"long name":                {extended('L', strings.Repeat("n/", 200)+"x\x00", file("n")), ok},
		"255 byte component":       {extended('L', strings.Repeat("n", 255)+"\x00", file("n")), ok},
		"absolute":                 {file("/etc/passwd"), "absolute"},
		"absolute by pax":          {extended('x', record("path", "/etc/passwd"), file("a")), "absolute"},
		"absolute by GNU":          {extended('L', "/etc/passwd\x00", file("a")), "absolute"},
		"up":                       {file("../x"), `".."`},
		"up inside":                {file("a/../x"), `".."`},
		"up at the end":            {dir("a/.."), `".."`},
		"up after dot":             {file("./../x"), `".."`},
		"empty":                    {dir(""), "empty name"},
		"empty pax":                {extended('x', record("path", ""), file("a")), "empty"},
		"zero byte pax":            {extended('x', record("path", "a\x00b"), file("a")), "zero byte"},
		"zero byte GNU":            {extended('L', "a\x00b\x00", file("a")), "zero byte"},
		"whiteout":                 {file("a/.wh.b"), "whiteout"},
		"opaque":                   {file(".wh..wh..opq"), "whiteout"},
		"whiteout directory":       {file(".wh.a/b"), "whiteout"},
		"through a symlink":        {j(link("a", tar.TypeSymlink, "/etc"), file("a/passwd")), `"a" above it is a symbolic link`},
		"through, deeper":          {j(link("x/a", tar.TypeSymlink, "/etc"), file("x/a/b/c")), `"x/a" above it`},
		"through a file":           {j(file("a"), file("a/b")), `"a" above it is a file`},
		"through a device":         {j(rawHeader("a", tar.TypeFifo, size0), dir("a/b")), `"a" above it`},
		"through a hard link":      {j(file("f"), link("a", tar.TypeLink, "f"), file("a/b")), `"a" above it`},
		"late symlink":             {j(file("a/b"), link("a", tar.TypeSymlink, "/etc")), "earlier members lie below"},
		"late file":                {j(dir("a/b"), file("./a")), "earlier members lie below"},
		"root symlink":             {link("./", tar.TypeSymlink, "/etc"), "root is no directory"},
		"root file":                {file("."), "root is no directory"},
		"file with slash":          {rawHeader("a/", tar.TypeReg, size0), "directory's"},
		"link with slash":          {link("a/", tar.TypeSymlink, "b"), "directory's"},
		"duplicate file":           {j(file("a"), file("./a")), "duplicate"},
		"duplicate kind":           {j(dir("a"), link("a", tar.TypeSymlink, "b")), "duplicate"},
		"duplicate directory":      {j(dir("a/"), dir("./a")), "twice"},
		"duplicate root":           {j(dir("./"), dir(".")), "twice"},
		"duplicate unclean":        {j(file("a/b"), file("a//./b")), "duplicate"},
		"link to itself":           {link("a", tar.TypeLink, "a"), "not in the archive before"},
		"link ahead":               {j(link("a", tar.TypeLink, "b"), file("b")), "not in the archive before"},
		"link absolute":            {j(file("a"), link("b", tar.TypeLink, "/a")), "absolute"},
		"link up":                  {j(file("a"), link("b", tar.TypeLink, "x/../a")), `".."`},
		"link to nothing":          {j(file("a"), link("b", tar.TypeLink, "")), "hard link to nothing"},
		"link to directory":        {j(dir("a"), link("b", tar.TypeLink, "a")), "which is a directory"},
		"link to implied":          {j(file("a/x"), link("b", tar.TypeLink, "a")), "which is a directory"},
		"through a linked symlink": {j(link("a", tar.TypeSymlink, "/etc"), link("b", tar.TypeLink, "a"), file("b/x")), "symbolic link"},
		"link with data":           {j(file("a"), rawHeader("b", tar.TypeLink, "00000000001\x00", 157, "a"), pad([]byte("x"))), "has no data"},
		"directory with data":      {j(rawHeader("b", tar.TypeDir, "00000001000\x00"), make([]byte, 512)), "has no data"},
		"symlink to nothing":       {link("a", tar.TypeSymlink, ""), "to nothing"},
		"major":                    {dev(tar.TypeChar, "0010000", "0"), "device number"},
		"minor":                    {dev(tar.TypeBlock, "1", "4000000"), "device number"},
		"negative minor":           {dev(tar.TypeBlock, "1", "\xff\xff\xff\xff\xff\xff\xff\xff"), "device number"},
		"whiteout device":          {dev(tar.TypeChar, "0", "0"), "whiteout"},
		"negative size":            {rawHeader("a", tar.TypeReg, strings.Repeat("\xff", 12)), "impossible size"},
		"absurd size":              {rawHeader("a", tar.TypeReg, "\x80\x00\x00\x00\x7f\xff\xff\xff\xff\xff\xff\xff"), "limit"},
		"overflowing size":         {rawHeader("a", tar.TypeReg, "\x80\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00"), "impossible size"},
		"size no number":           {rawHeader("a", tar.TypeReg, "9999"), "impossible size"},
		"negative pax size":        {extended('x', record("size", "-1"), file("a")), "impossible value"},
		"pax size no number":       {extended('x', record("size", "0x10"), file("a")), "impossible value"},
		"no id":                    {withField(108, "\x80\x00\x00\x00\xff\xff\xff\xff"), "owner"},
		"negative id":              {withField(108, strings.Repeat("\xff", 8)), "owner"},
		"large group":              {withField(116, "\x80\x00\x00\x01\x00\x00\x00\x00"), "group"},
		"negative mode":            {withField(100, strings.Repeat("\xff", 8)), "mode"},
		"far future":               {extended('x', record("mtime", "99999999999999"), file("a")), "time"},
		"unknown kind":             {rawHeader("a", 'Q', size0), "unknown kind"},
		"label":                    {rawHeader("a", 'V', size0), "tar --label, which readers of images do not take: pack the stage3 without"},
		"incremental":              {rawHeader("a/", 'D', size0), "tar --incremental"},
		"another volume":           {rawHeader("a", 'M', size0), "tar --multi-volume"},
		"contiguous":               {rawHeader("a", '7', size0), "contiguous"},
		"pax label":                {extended('g', record("GNU.volume.label", "l"), file("a")), ok},
		"old Solaris":              {extended('X', record("path", "b"), file("a")), "unknown kind"},
		"long":                     {extended('L', strings.Repeat("n/", 2049)+"\x00", file("n")), "limit is 4096"},
		"long component":           {extended('L', strings.Repeat("n", 256)+"\x00", file("n")), "limit is 255"},
		"long symlink":             {extended('K', strings.Repeat("n", 4096)+"\x00", link("n", tar.TypeSymlink, "n")), "limit is 4095"},
		"record twice":             {extended('x', record("path", "a")+record("path", "b"), file("a")), "twice"},
		"broken record":            {extended('x', "99 path=a\n", file("a")), "malformed"},
		"short record":             {extended('x', "3 a\n", file("a")), "malformed"},
		"record without key":       {extended('x', "5 =a\n", file("a")), "malformed"},
		"record no newline":        {extended('x', "9 path=ab", file("a")), "malformed"},
		"two pax headers":          {extended('x', record("path", "a"), extended('x', record("path", "b"), file("a"))), "more than one"},
		"two long names":           {extended('L', "a\x00", extended('L', "b\x00", file("a"))), "more than one"},
		"mixed headers":            {extended('L', "a\x00", extended('x', record("path", "b"), file("a"))), "more than one"},
		"mixed the other way":      {extended('x', record("path", "b"), extended('L', "a\x00", file("a"))), "more than one"},
		"global path":              {extended('g', record("path", "../x"), file("a")), "global record"},
		"global size":              {extended('g', record("size", "1024"), file("a")), "global record"},
		"global in between":        {extended('x', record("path", "b"), extended('g', record("comment", "c"), file("a"))), "global header between"},
		"endless extension":        {rawHeader("a", 'x', "77777777777\x00"), "extension header of"},
		"overlay attribute":        {extended('x', record("SCHILY.xattr.user.overlay.opaque", "y"), dir("a")), "overlay"},
		"owner attribute":          {extended('x', record("SCHILY.xattr.user.rootlesscontainers", "y"), dir("a")), "belongs to"},
		"sparse symlink":           {extended('x', record("GNU.sparse.major", "1")+record("GNU.sparse.minor", "0"), link("a", tar.TypeSymlink, "b")), "malformed"},
		"sparse version":           {extended('x', record("GNU.sparse.major", "2")+record("GNU.sparse.minor", "0"), file("a")), "unknown value"},
		"half a version":           {extended('x', record("GNU.sparse.major", "1"), file("a")), "unknown version"},
		"sparse, too much data": {extended('x', record("GNU.sparse.map", "10,3")+record("GNU.sparse.numblocks", "1")+record("GNU.sparse.size", "1000"),
			rawHeader("x", tar.TypeReg, "00000000004\x00"), pad([]byte("abcd"))), "sparse map"},
		"sparse, too little data": {extended('x', record("GNU.sparse.map", "10,3")+record("GNU.sparse.numblocks", "1")+record("GNU.sparse.size", "1000"),
			rawHeader("x", tar.TypeReg, "00000000002\x00"), pad([]byte("ab"))), "sparse map"},
		"sparse map in data": {extended('x', record("GNU.sparse.major", "1")+record("GNU.sparse.minor", "0")+record("GNU.sparse.realsize", "1000"),
			rawHeader("x", tar.TypeReg, "00000001004\x00"), pad([]byte("1\n10\n3\n")), pad([]byte("abcd"))), "sparse map"},
		"sparse without a map": {extended('x', record("GNU.sparse.major", "1")+record("GNU.sparse.minor", "0")+record("GNU.sparse.realsize", "1000"),
			rawHeader("x", tar.TypeReg, "00000001000\x00"), pad([]byte("x"))), "malformed"},
		"old sparse, no GNU": {rawHeader("a", 'S', size0), "malformed"},
	} {
		t.Run(name, func(t *testing.T) {
			data := withEnd(tc.data)
			got, _, err := copyAll(data, CopyOptions{})
			if tc.want == ok {
				if err != nil || !bytes.Equal(got, data) {
					t.Fatalf("refused or changed: %v", err)
				}
				return
			}
			if !errors.Is(err, errHostile) || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("want %q, got: %v", tc.want, err)
			}
			// What is left out is checked as well.
			if _, _, err := copyAll(data, CopyOptions{Exclude: []string{"/**"}}); !errors.Is(err, errHostile) {
				t.Fatalf("excluded: %v", err)
			}
		})
	}
}

func TestDamagedTar(t *testing.T) {
	good := sample(t)
	second := rawHeader("a", tar.TypeReg, size0)
	for name, tc := range map[string]struct {
		data []byte
		want error
	}{
		"no end":          {second, errTruncated},
		"half an end":     {append(bytes.Clone(second), zeroBlock[:]...), errTruncated},
		"odd length":      {append(bytes.Clone(good), 0), errTruncated},
		"single zero":     {withEnd(second, zeroBlock[:], second), errCorrupt},
		"wrong checksum":  {withEnd(second, bytes.Repeat([]byte("x"), 512)), errCorrupt},
		"dangling header": {withEnd(extended('x', record("path", "b"), nil)), errCorrupt},
		"nothing":         {nil, ErrNotTar},
		"text":            {[]byte(strings.Repeat("text ", 500)), ErrNotTar},
	} {
		if _, _, err := copyAll(tc.data, CopyOptions{}); !errors.Is(err, tc.want) {
			t.Errorf("%s: want %v, got %v", name, tc.want, err)
		}
	}
}

func TestLimits(t *testing.T) {
	data := sample(t)
	for _, l := range []layers.Bounds{{Members: 3}, {FileSize: 100}, {Bytes: 1000}} {
		if _, _, err := copyAll(data, CopyOptions{limits: l}); !errors.Is(err, errHostile) {
			t.Errorf("%+v: %v", l, err)
		}
	}
	if _, _, err := copyAll(data, CopyOptions{limits: layers.Bounds{Members: 7, FileSize: 1000, Bytes: int64(len(data))}}); err != nil {
		t.Error(err)
	}
}

// TestManyEntries keeps track of many members in little time.
func TestManyEntries(t *testing.T) {
	const n = 50_000
	members := make([]testutil.Member, n)
	for i := range members {
		members[i] = testutil.File(fmt.Sprintf("d%d/e%d/file%d", i%7, i%1000, i), "")
	}
	data := testutil.Tar(t, members...)
	out, sum, err := copyAll(data, CopyOptions{})
	if err != nil || sum.Entries != n || !bytes.Equal(out, data) {
		t.Fatal(sum, err)
	}
}
