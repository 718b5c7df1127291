package layers

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"golang.org/x/sys/unix"
)

// TestNames has what names become. How they are refused is in internal/conformance.
func TestNames(t *testing.T) {
	for name, want := range map[string]string{
		"a": "a", "./a": "a", "a/": "a", "././/a//b/./c//": "a/b/c", ".": "", "./": "", "": "", "./.": "", "..a/b..": "..a/b..",
		"a/.wh.b": "w a/b", ".wh.b": "w b", ".wh..wh..opq": "o ", "a/b/.wh..wh..opq": "o a/b", ".wh..wh.x": "n .wh..wh.x", "a/.wh..wh.x/.wh.y": "n a/.wh..wh.x/.wh.y",
		".wha": ".wha", "x.wh.y/z": "x.wh.y/z", ".wh." + strings.Repeat("n", 255): "w " + strings.Repeat("n", 255),
	} {
		m, err := MemberOf(&tar.Header{Name: name, Typeflag: tar.TypeDir})
		got := map[Kind]string{Entry: "", Whiteout: "w ", Opaque: "o ", Nothing: "n "}[m.Kind] + m.Path
		if err != nil || got != want || m.Name != name {
			t.Errorf("%q: %q, %v, want %q", name, got, err, want)
		}
	}
	if n := testing.AllocsPerRun(100, func() {
		if _, err := MemberOf(&tar.Header{Name: "./usr/share/doc/file", Typeflag: tar.TypeReg}); err != nil {
			t.Error(err)
		}
	}); n > 0 {
		t.Errorf("a plain member takes %v allocations", n)
	}
}

// TestRoundTrip: what the writer writes of a member the reader reads as that member.
func TestRoundTrip(t *testing.T) {
	day := time.Unix(1655337600, 123456789)
	acl, err := parseACL("u::rwx,u:7:rw-,g::r--,m::rwx,o::---", false, nil)
	if err != nil {
		t.Fatal(err)
	}
	members := []Member{
		{Path: "", Mode: unix.S_IFDIR | 0o711, ModTime: day},
		{Path: "d", Mode: unix.S_IFDIR | 0o2755, UID: 1, GID: 1<<32 - 2, ModTime: time.Unix(-5, 1)},
		{Path: "d/file", Mode: unix.S_IFREG | 0o4770, Size: 5, ModTime: day, Xattrs: map[string]string{"user.a": "\x00b", "user.%=%3D%%25%": "n", "user.empty": "", "security.capability": "x", XattrACL: acl}},
		{Path: "d/link", Kind: HardLink, Mode: unix.S_IFREG | 0o4711, Target: "d/file", ModTime: day},
		{Path: "d/symlink", Mode: unix.S_IFLNK | 0o777, Target: "/../x", ModTime: day},
		{Path: "c", Mode: unix.S_IFCHR | 0o600, Major: 4095, Minor: 1<<20 - 1, ModTime: day},
		{Path: "b", Mode: unix.S_IFBLK | 0o600, Major: 7, ModTime: day},
		{Path: "p", Mode: unix.S_IFIFO | 0o622, ModTime: day},
		{Path: strings.Repeat("n", 255) + "/ä", Mode: unix.S_IFREG, ModTime: day},
		{Path: "d/gone", Kind: Whiteout},
		{Path: "gone", Kind: Whiteout},
		{Path: "d", Kind: Opaque},
		{Path: "", Kind: Opaque},
	}
	var b bytes.Buffer
	w := NewWriter(&b)
	for _, m := range members {
		if err := w.WriteMember(&m); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, "12345"[:m.Size]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	r := NewReader(t.Context(), iotest.OneByteReader(&b))
	for _, want := range members {
		got, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		m := *got
		m.Name = ""
		if m.ModTime.Equal(want.ModTime) {
			m.ModTime = want.ModTime
		}
		if fmt.Sprintf("%+v", m) != fmt.Sprintf("%+v", want) {
			t.Errorf("is   %+v\nwant %+v", m, want)
		}
		if data, err := io.ReadAll(r); err != nil || string(data) != "12345"[:m.Size] {
			t.Errorf("%s: data %q, %v", m.Path, data, err)
		}
	}
	for range 2 {
		if _, err := r.Next(); !errors.Is(err, io.EOF) {
			t.Errorf("at the end: %v", err)
		}
	}
}

func TestWriterRefuses(t *testing.T) {
	var b bytes.Buffer
	w := NewWriter(&b)
	if err := w.Close(); err != nil || b.Len() != 0 {
		t.Errorf("a stream without members has %d bytes, %v", b.Len(), err)
	}
	if _, err := w.Write([]byte("x")); err == nil {
		t.Error("data without a member are no error")
	}
	for _, m := range []Member{{Path: ".wh..wh.x", Kind: Nothing}, {Path: "s", Mode: unix.S_IFSOCK}} {
		if err := w.WriteMember(&m); !errors.Is(err, ErrMember) {
			t.Errorf("%+v: %v", m, err)
		}
	}
	broken := errors.New("broken")
	if err := NewWriter(errWriter{broken}).WriteMember(&Member{Path: "x", Mode: unix.S_IFREG}); !errors.Is(err, broken) {
		t.Errorf("a writer that fails: %v", err)
	}
}

type errWriter struct{ err error }

func (w errWriter) Write([]byte) (int, error) { return 0, w.err }

func TestACL(t *testing.T) {
	for text, want := range map[string]string{
		"u::rw-,g::r--,o::r--":                                  "", // no more than a mode
		"user::rwx # me\nmask::r-x\n":                           "",
		"u::rw-,u:7:r--,g::r--,o::r--":                          "\x02\x00\x00\x00\x01\x00\x06\x00\xff\xff\xff\xff\x02\x00\x04\x00\x07\x00\x00\x00\x04\x00\x04\x00\xff\xff\xff\xff\x20\x00\x04\x00\xff\xff\xff\xff",
		"o:r--\ngroup:who:r--:9\nuser::rw-\ndefault:group::r--": "\x02\x00\x00\x00\x01\x00\x06\x00\xff\xff\xff\xff\x04\x00\x04\x00\xff\xff\xff\xff\x08\x00\x04\x00\x09\x00\x00\x00\x20\x00\x04\x00\xff\xff\xff\xff",
	} {
		if got, err := parseACL(text, false, nil); err != nil || got != want {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
	for _, text := range []string{"x", "who::rwx", "u:7", "u:name:rwx", "u:4294967295:rwx", "u::rwz", strings.Repeat("u::rwx,", 1<<14)} {
		if _, err := parseACL(text, false, nil); !errors.Is(err, ErrMember) {
			t.Errorf("%.20q: %v", text, err)
		}
	}
}

// Names are kept until the image is known, and a list that is malformed is lost with or without names.
func TestNamedACL(t *testing.T) {
	ids := func(name string, group bool) (uint32, bool) { return 4, group && name == "adm" }
	var m Member
	m.attributes(map[string]string{"SCHILY.acl.access": "u::rwx,g::r-x,g:adm:rwx\t#effective:r-x\nm::r-x,o::---\n", "SCHILY.acl.default": "u:who:rwq"})
	if len(m.Xattrs) != 0 || len(m.Named) != 1 || len(m.Lost) != 1 || m.Lost[0] != "SCHILY.acl.default" {
		t.Fatalf("%+v", m)
	}
	want, err := parseACL("u::rwx,g::r-x,g:4:rwx,m::r-x,o::---", false, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := ResolveACL(XattrACL, m.Named[XattrACL], ids); err != nil || got != want {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
	for _, text := range []string{"u::rwx,u:adm:rwx,g::rwx,o::---", "u::rwx,g:who:rwx,g::rwx,o::---"} {
		if _, err := ResolveACL(XattrACL, text, ids); !errors.Is(err, ErrMember) || !strings.Contains(err.Error(), "nobody") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// The list of a directory for what is made in it counts with three entries, too: `umask` does not hold there.
func TestInheritedACL(t *testing.T) {
	const three = "\x02\x00\x00\x00\x01\x00\x07\x00\xff\xff\xff\xff\x04\x00\x07\x00\xff\xff\xff\xff\x20\x00\x00\x00\xff\xff\xff\xff"
	records := map[string]string{"SCHILY.acl.default": "user::rwx\ngroup::rwx\nother::---\n", "SCHILY.acl.access": "u::rwx,g::rwx,o::---"}
	for key, want := range map[string][2]string{"SCHILY.acl.default": {XattrDefaultACL, three}, "SCHILY.acl.access": {}} {
		if name, value, err := attribute(records, key, records[key]); err != nil || [2]string{name, value} != want {
			t.Errorf("%s: %q %q, %v", key, name, value, err)
		}
	}
	if got, err := parseACL("", true, nil); err != nil || got != "" {
		t.Errorf("without entries: %q, %v", got, err)
	}
	if _, err := parseACL("u::rwx,g::rwx", true, nil); !errors.Is(err, ErrMember) {
		t.Errorf("no kernel takes it: %v", err)
	}
}

// TestListedMode: permissions follow a list of access, whoever wrote what beside it; a list that says no more is none.
func TestListedMode(t *testing.T) {
	const (
		head, user, group, other = "\x02\x00\x00\x00", "\x01\x00\x07\x00\xff\xff\xff\xff", "\x04\x00\x01\x00\xff\xff\xff\xff", "\x20\x00\x00\x00\xff\xff\xff\xff"
		named, mask              = "\x02\x00\x04\x00\x07\x00\x00\x00", "\x10\x00\x05\x00\xff\xff\xff\xff"
	)
	for _, tc := range []struct {
		typ   byte
		list  string
		mode  uint32
		stays bool
	}{
		{tar.TypeReg, head + user + named + group + mask + other, unix.S_IFREG | 0o2750, true},
		{tar.TypeDir, head + user + named + group + mask + other, unix.S_IFDIR | 0o2750, true},
		{tar.TypeReg, head + user + group + mask + other, unix.S_IFREG | 0o2750, true},
		{tar.TypeReg, head + user + group + other, unix.S_IFREG | 0o2710, false},
		{tar.TypeReg, head + user + named + group + other, unix.S_IFREG | 0o2600, true}, // no kernel takes this one, and those below
		{tar.TypeReg, head + user + named + mask + other, unix.S_IFREG | 0o2600, true},
		{tar.TypeReg, head + user + group + group + other, unix.S_IFREG | 0o2600, true},
		{tar.TypeReg, head + user + group + other[:7], unix.S_IFREG | 0o2600, true},
		{tar.TypeReg, "\x03" + head[1:] + user + group + other, unix.S_IFREG | 0o2600, true},
		{tar.TypeReg, head + user + group + "\x40" + other[1:], unix.S_IFREG | 0o2600, true},
		{tar.TypeReg, head + user + group + other[:2] + "\x08" + other[3:], unix.S_IFREG | 0o2600, true},
		{tar.TypeReg, "", unix.S_IFREG | 0o2600, true},
		{tar.TypeSymlink, head + user + group + other, unix.S_IFLNK | 0o777, true},
	} {
		m, err := MemberOf(&tar.Header{Name: "a", Typeflag: tc.typ, Linkname: "b", Mode: 0o2600, PAXRecords: map[string]string{paxXattr + XattrACL: tc.list}})
		if _, stays := m.Xattrs[XattrACL]; err != nil || m.Mode != tc.mode || stays != tc.stays {
			t.Errorf("%c %q: mode %#o, the list stays: %v, %v", tc.typ, tc.list, m.Mode, stays, err)
		}
	}
}

// TestNamedMode: the same where the list is a text with names.
func TestNamedMode(t *testing.T) {
	m, err := MemberOf(&tar.Header{Name: "a", Typeflag: tar.TypeReg, Mode: 0o2600, PAXRecords: map[string]string{
		paxACL: "user::rwx\nuser:who:r--\nuser:else:r--\ngroup::--x\nmask::r-x\nother::---"}})
	if err != nil || m.Mode != unix.S_IFREG|0o2750 || m.Named[XattrACL] == "" || len(m.Lost) > 0 {
		t.Errorf("%+v, %v", m, err)
	}
}

// TestXattrKeys: names as GNU tar, libarchive and others write them; of two records for one name always the same holds.
func TestXattrKeys(t *testing.T) {
	for _, tc := range []struct {
		records map[string]string
		want    map[string]string
	}{
		{map[string]string{"SCHILY.xattr.user.a%3Db%25": "1"}, map[string]string{"user.a=b%": "1"}},
		{map[string]string{"SCHILY.xattr.user.a%3db%20": "1"}, map[string]string{"user.a%3db%20": "1"}},
		{map[string]string{"LIBARCHIVE.xattr.user.a%3Db%20": "MQ"}, map[string]string{"user.a=b ": "1"}},
		{map[string]string{"LIBARCHIVE.xattr.user.a%3Db%20": "MQ", "SCHILY.xattr.user.a%3Db%20": "2"}, map[string]string{"user.a=b ": "2"}},
		{map[string]string{"SCHILY.xattr.user.%": "1", "SCHILY.xattr.user.%25": "2"}, map[string]string{"user.%": "2"}},
	} {
		for range 20 {
			m := Member{Mode: unix.S_IFREG}
			if m.attributes(tc.records); !maps.Equal(m.Xattrs, tc.want) || len(m.Lost) > 0 {
				t.Fatalf("%q: %q, lost %q", tc.records, m.Xattrs, m.Lost)
			}
		}
	}
}

func TestCapability(t *testing.T) {
	const v2 = "\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	v3 := "\x01\x00\x00\x03" + v2[4:] + "\xe8\x03\x00\x00"
	for value, want := range map[string]string{v2: v2, v3: v2, "": "", "short": "short", v3[:20]: v3[:20]} {
		if got := CapabilityV2(value); got != want {
			t.Errorf("%q: %q, want %q", value, got, want)
		}
	}
}

func TestXattrNames(t *testing.T) {
	for name, want := range map[string][3]bool{ // ours, a label, in layers
		"user.x": {false, false, true}, "trusted.x": {false, false, true}, "security.capability": {false, false, true},
		XattrACL: {false, false, true}, XattrDefaultACL: {false, false, true}, "system.nfs4_acl": {}, "btrfs.compression": {}, "user": {false, false, true},
		"security.selinux": {false, true, false}, "security.ima": {false, true, false}, XattrOwner: {true, false, false}, XattrDevice: {true, false, false},
		XattrImplied: {true, false, false}, XattrKept + "a": {true, false, false}, "user.overlay.x": {true, false, false}, "trusted.overlay.x": {true, false, false},
		"user.xtoo.other": {false, false, true}, "user.overlayx": {false, false, true},
	} {
		if got := [3]bool{IsOurs(name), IsLabel(name), InLayers(name)}; got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}
