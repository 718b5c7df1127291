package tree

import (
	"archive/tar"
	"bytes"
	"errors"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"xtoo/layers"
)

// capNetRaw is what setcap cap_net_raw+ep writes.
const capNetRaw = "\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"

// awkward has one of everything that a layer may hold.
func awkward(t testing.TB) []byte {
	return archive(t,
		member{name: "./", mode: 0o755, mtime: day1},
		member{name: "./dev/"},
		member{name: "./dev/console", typ: tar.TypeChar, mode: 0o600, major: 5, minor: 1},
		member{name: "./dev/loop0", typ: tar.TypeBlock, mode: 0o660, major: 7, gid: 6},
		member{name: "./dev/big", typ: tar.TypeChar, mode: 0o666, major: 4095, minor: 1<<20 - 1},
		member{name: "./dev/zerozero", typ: tar.TypeChar, mode: 0o666},
		member{name: "./etc/", mtime: day1},
		member{name: "./etc/shadow", mode: 0o640, gid: 42, data: "root:*:\n"},
		member{name: "./etc/probe", data: "x", pax: map[string]string{
			"SCHILY.xattr.user.note":          "a\x00b",
			"SCHILY.xattr.user.xtoo.probe":    "kept",
			"SCHILY.xattr.trusted.note":       "t",
			"SCHILY.xattr.user.overlay.x":     "no",
			"SCHILY.xattr.user.xtoo.device":   "c 1 3",
			"SCHILY.xattr.security.selinux":   "label",
			"SCHILY.xattr.system.nosuchthing": "",
		}},
		member{name: "./etc/acl", mode: 0o664, data: "a", pax: map[string]string{"SCHILY.acl.access": "user::rw-\nuser:7:rw-\ngroup::r--\nmask::rw-\nother::r--\n"}},
		member{name: "./etc/acl.d/", pax: map[string]string{"SCHILY.acl.default": "user::rwx\ngroup::r-x\ngroup:0:rwx\nmask::rwx\nother::r-x\n"}},
		member{name: "./etc/acl.d/plain", mode: 0o600, data: "p"},
		member{name: "./etc/acl.d/sub/", mode: 0o700},
		member{name: "./etc/dangling", typ: tar.TypeSymlink, mode: 0o777, uid: 250, gid: 250, link: "/nonexistent/target"},
		member{name: "./run/"},
		member{name: "./run/fifo", typ: tar.TypeFifo, mode: 0o600},
		member{name: "./usr/"},
		member{name: "./usr/bin/", mode: 0o555},
		member{name: "./usr/bin/ping", mode: 0o755, data: "ping", pax: map[string]string{"SCHILY.xattr.security.capability": capNetRaw}},
		member{name: "./usr/bin/ping6", typ: tar.TypeLink, mode: 0o755, link: "./usr/bin/ping"},
		member{name: "./usr/bin/su", mode: 0o4755, data: "su"},
		member{name: "./usr/bin/chage", mode: 0o2755, gid: 42, data: "chage"},
		member{name: "./usr/bin/empty", mode: 0},
		member{name: "./usr/none/", mode: 0o1},
		member{name: "./usr/none/file", mode: 0o400, uid: 65534, gid: 65534, data: "nobody"},
		member{name: "./usr/" + strings.Repeat("ä ", 80) + "x", data: "long"},
		member{name: "./usr/" + strings.Repeat("n", 255), data: "longest"},
		member{name: "./usr/old", data: "old", mtime: time.Unix(-12345, 678)},
		member{name: "./usr/sparse", data: string(make([]byte, 1<<20)) + "end"},
		member{name: "./var/"},
		member{name: "./var/mail/", mode: 0o2775, gid: 8},
		member{name: "./var/mail/inherited", mode: 0o660, gid: 8, data: "i"},
		member{name: "./var/mail/roots", mode: 0o600, data: "r"},
		member{name: "./var/mail/uids", mode: 0o600, uid: 5, data: "u"},
		member{name: "./var/mail/sub/", mode: 0o755},
	)
}

func TestUnpackAwkward(t *testing.T) {
	inTiers(t, func(t *testing.T, tier string) {
		syscall.Umask(0o077)
		dir, res := unpackTo(t, "fs", awkward(t))
		if res.Entries != 35 || !res.Newest.Equal(day1) || res.UsedLowers {
			t.Errorf("result %+v", res)
		}
		tree := dump(t, dir, nil)
		for path, want := range map[string]map[string]string{
			".":                               {"": "040755 0:0 1655424000.123456789"},
			"dev/console":                     {"": `0100600 0:0 1655337600.000000000 0 e3b0c442 user.xtoo.device="c 5 1"`},
			"dev/big":                         {"": `0100666 0:0 1655337600.000000000 0 e3b0c442 user.xtoo.device="c 4095 1048575"`},
			"dev/zerozero":                    {"": `0100666 0:0 1655337600.000000000 0 e3b0c442 user.xtoo.device="c 0 0"`},
			"etc":                             {"": "040755 0:0 1655424000.123456789"},
			"etc/acl.d/plain":                 {"": "0100600 0:0 1655337600.000000000 1 148de9c5"},
			"etc/acl.d/sub":                   {"": "040700 0:0 1655337600.000000000"},
			"run/fifo":                        {"": "010600 0:0 1655337600.000000000"},
			"usr/bin":                         {"": "040555 0:0 1655337600.000000000"},
			"usr/bin/su":                      {"": "0104755 0:0 1655337600.000000000 2 0a64ce10"},
			"usr/bin/empty":                   {"": "0100644 0:0 1655337600.000000000 0 e3b0c442"},
			"usr/old":                         {"": "0100644 0:0 -12345.000000678 3 cba06b57"},
			"usr/bin/chage":                   {"mapped": "0102755 0:42 1655337600.000000000 5 4abe5468", "single": "0102755 0:0 1655337600.000000000 5 4abe5468" + ` user.rootlesscontainers="\b\xff\xff\xff\xff\x0f\x10*"`},
			"usr/none/file":                   {"mapped": "0100400 65534:65534 1655337600.000000000 6 6382b3cc", "single": `0100400 0:0 1655337600.000000000 6 6382b3cc user.rootlesscontainers="\b\xfe\xff\x03\x10\xfe\xff\x03"`},
			"etc/dangling":                    {"mapped": "0120777 250:250 1655337600.000000000 -> /nonexistent/target", "single": "0120777 0:0 1655337600.000000000 -> /nonexistent/target"},
			"var/mail":                        {"mapped": "042775 0:8 1655337600.000000000", "single": `042775 0:0 1655337600.000000000 user.rootlesscontainers="\b\xff\xff\xff\xff\x0f\x10\b"`},
			"var/mail/inherited":              {"mapped": "0100660 0:8 1655337600.000000000 1 de7d1b72", "single": `0100660 0:0 1655337600.000000000 1 de7d1b72 user.rootlesscontainers="\b\xff\xff\xff\xff\x0f\x10\b"`},
			"var/mail/roots":                  {"mapped": "0100600 0:0 1655337600.000000000 1 454349e4", "single": `0100600 0:0 1655337600.000000000 1 454349e4 user.rootlesscontainers="\b\xff\xff\xff\xff\x0f"`},
			"var/mail/uids":                   {"mapped": "0100600 5:0 1655337600.000000000 1 0bfe935e", "single": `0100600 0:0 1655337600.000000000 1 0bfe935e user.rootlesscontainers="\b\x05"`},
			"var/mail/sub":                    {"mapped": "040755 0:0 1655337600.000000000", "single": `040755 0:0 1655337600.000000000 user.rootlesscontainers="\b\xff\xff\xff\xff\x0f"`},
			"etc/probe":                       {"": `0100644 0:0 1655337600.000000000 1 2d711642 user.note="a\x00b" user.xtoo.probe="kept" user.xtoo.xattr.security.selinux="label" user.xtoo.xattr.system.nosuchthing="" user.xtoo.xattr.trusted.note="t"`},
			"usr/bin/ping":                    {"": `0100755 0:0 1655337600.000000000 4 758d61f2 2 links, first usr/bin/ping security.capability="` + `\x01\x00\x00\x02\x00 \x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"`},
			"etc/acl.d":                       {"": `040755 0:0 1655337600.000000000 system.posix_acl_default="\x02\x00\x00\x00\x01\x00\a\x00\xff\xff\xff\xff\x04\x00\x05\x00\xff\xff\xff\xff\b\x00\a\x00\x00\x00\x00\x00\x10\x00\a\x00\xff\xff\xff\xff \x00\x05\x00\xff\xff\xff\xff"`},
			"etc/acl":                         {"mapped": `0100664 0:0 1655337600.000000000 1 ca978112 system.posix_acl_access="\x02\x00\x00\x00\x01\x00\x06\x00\xff\xff\xff\xff\x02\x00\x06\x00\a\x00\x00\x00\x04\x00\x04\x00\xff\xff\xff\xff\x10\x00\x06\x00\xff\xff\xff\xff \x00\x04\x00\xff\xff\xff\xff"`, "single": `0100664 0:0 1655337600.000000000 1 ca978112 user.xtoo.xattr.system.posix_acl_access="\x02\x00\x00\x00\x01\x00\x06\x00\xff\xff\xff\xff\x02\x00\x06\x00\a\x00\x00\x00\x04\x00\x04\x00\xff\xff\xff\xff\x10\x00\x06\x00\xff\xff\xff\xff \x00\x04\x00\xff\xff\xff\xff"`},
			"usr/" + strings.Repeat("n", 255): {"": "0100644 0:0 1655337600.000000000 7 4a10fc76"},
		} {
			line, ok := want[tier]
			if !ok {
				line = want[""]
			}
			if tree[path] != line {
				t.Errorf("%s\n is   %s\n want %s", path, tree[path], line)
			}
		}
		var st unix.Stat_t
		if err := unix.Stat(filepath.Join(dir, "usr/sparse"), &st); err != nil || st.Size != 1<<20+3 || st.Blocks > 16 {
			t.Errorf("sparse file: %v, %d bytes in %d blocks", err, st.Size, st.Blocks)
		}
		lost := map[string]bool{}
		for _, n := range res.Lost {
			lost[n.Path+": "+n.What] = true
		}
		if lost["etc/dangling: owner 250:250"] != (tier == "single") || !lost["etc/probe: xattr user.overlay.x"] || !lost["etc/probe: xattr user.xtoo.device"] {
			t.Errorf("lost: %v", res.Lost)
		}
	})
}

func TestUnpackWhiteouts(t *testing.T) {
	inTiers(t, func(t *testing.T, _ string) {
		dir, res := unpackTo(t, "fs", archive(t,
			member{name: "a/"},
			member{name: "a/.wh.gone"},
			member{name: "a/.wh..wh.plnk"},
			member{name: ".wh..wh.orph/"},
			member{name: ".wh..wh.orph/inside", data: "x"},
			member{name: "b/"},
			member{name: "b/.wh.early"},
			member{name: "b/sub/"},
			member{name: "b/sub/.wh.deep"},
			member{name: "b/.wh..wh..opq"},
			member{name: "b/new", data: "n"},
			member{name: "b/.wh.late"},
			member{name: ".wh.file"},
			member{name: "file", data: "again"},
			member{name: ".wh.dir"},
			member{name: "dir/"},
			member{name: "dir2/"},
			member{name: ".wh.dir2"},
			member{name: "file2", data: "stays"},
			member{name: ".wh.file2"},
			member{name: ".wh.implied"},
			member{name: "implied/x", data: "x"},
		))
		tree := dump(t, dir, nil)
		const day = "1655337600.000000000"
		sameTrees(t, "tree", tree, map[string]string{
			".":         `040755 0:0 0.000000000 user.xtoo.implied=""`,
			"a":         "040755 0:0 " + day,
			"a/gone":    "whiteout",
			"b":         "040755 0:0 " + day + ` user.overlay.opaque="y"`,
			"b/sub":     "040755 0:0 " + day,
			"b/new":     "0100644 0:0 " + day + " 1 1b16b1df",
			"file":      "0100644 0:0 " + day + " 5 b4c9e140",
			"dir":       "040755 0:0 " + day + ` user.overlay.opaque="y"`,
			"dir2":      "040755 0:0 " + day + ` user.overlay.opaque="y"`,
			"file2":     tree["file2"],
			"implied":   `040755 0:0 0.000000000 user.overlay.opaque="y"`,
			"implied/x": "0100644 0:0 " + day + " 1 2d711642",
		})
		if res.Whiteouts != 10 || res.OpaqueRoot {
			t.Errorf("result %+v", res)
		}
		if _, res := unpackTo(t, "opaque", archive(t, member{name: ".wh..wh..opq"})); !res.OpaqueRoot {
			t.Error("the opaque root was not reported")
		}
	})
}

func TestUnpackLowers(t *testing.T) {
	inTiers(t, func(t *testing.T, tier string) {
		low, _ := unpackTo(t, "low", archive(t,
			member{name: "d/", mode: 0o2750, gid: 8, mtime: day1},
			member{name: "d/file", mode: 0o4755, uid: 5, data: "low"},
			member{name: "d/link", typ: tar.TypeSymlink, mode: 0o777, link: "file"},
			member{name: "d/hidden", data: "h"},
			member{name: "d/dev", typ: tar.TypeChar, major: 1, minor: 3},
		))
		mid, _ := unpackTo(t, "mid", archive(t, member{name: "d/.wh.hidden"}), low)
		data := archive(t,
			member{name: "d/again", typ: tar.TypeLink, link: "d/file"},
			member{name: "d/symlink", typ: tar.TypeLink, link: "d/link"},
			member{name: "d/device", typ: tar.TypeLink, link: "d/dev"},
		)
		top, res := unpackTo(t, "top", data, mid, low)
		if !res.UsedLowers {
			t.Error("UsedLowers is not set")
		}
		tree, lower := dump(t, top, nil), dump(t, low, nil)
		for a, b := range map[string]string{"d": "d", "d/again": "d/file", "d/symlink": "d/link", "d/device": "d/dev"} {
			if tree[a] != lower[b] || tree[a] == "" {
				t.Errorf("%s\n is   %s\n want %s", a, tree[a], lower[b])
			}
		}
		for _, target := range []string{"d/hidden", "d", "nothing", "d/link/x"} {
			data := archive(t, member{name: "x", typ: tar.TypeLink, link: target})
			_, err := Unpack(t.Context(), bytes.NewReader(data), newDir(t, "x"), UnpackOptions{Lowers: []string{mid, low}})
			if !errors.Is(err, layers.ErrMember) {
				t.Errorf("hard link to %s: %v", target, err)
			}
		}
		_, err := Unpack(t.Context(), bytes.NewReader(data), newDir(t, "alone"), UnpackOptions{})
		if !errors.Is(err, layers.ErrMember) || !strings.Contains(err.Error(), "d/again") {
			t.Errorf("without lower layers: %v", err)
		}
	})
}

func TestUnpackLastWins(t *testing.T) {
	inTiers(t, func(t *testing.T, _ string) {
		dir, _ := unpackTo(t, "fs", archive(t,
			member{name: "file", data: "first", mode: 0o4755, pax: map[string]string{"SCHILY.xattr.user.a": "1"}},
			member{name: "file", data: "2"},
			member{name: "dir/", uid: 7, mode: 0o2777, pax: map[string]string{"SCHILY.xattr.user.a": "1"}},
			member{name: "dir/child", data: "c"},
			member{name: "dir/", pax: map[string]string{"SCHILY.xattr.user.b": "2"}},
			member{name: "gone/deep/er/", mode: 0o1},
			member{name: "gone/deep/er/file", data: "x"},
			member{name: "gone", data: "file now"},
			member{name: "was", data: "file"},
			member{name: "was/"},
			member{name: "was/file", data: "x"},
			member{name: "l", typ: tar.TypeSymlink, mode: 0o777, link: "a"},
			member{name: "l", typ: tar.TypeSymlink, mode: 0o777, link: "b"},
			member{name: "h", typ: tar.TypeLink, link: "file"},
			member{name: "h", typ: tar.TypeLink, link: "file"},
			member{name: "./", mode: 0o711, mtime: day1},
		))
		const day = "1655337600.000000000"
		sameTrees(t, "tree", dump(t, dir, nil), map[string]string{
			".":         "040711 0:0 1655424000.123456789",
			"file":      "0100644 0:0 " + day + " 1 d4735e3a 2 links, first file",
			"h":         "0100644 0:0 " + day + " 1 d4735e3a 2 links, first file",
			"dir":       "040755 0:0 " + day + ` user.b="2"`,
			"dir/child": "0100644 0:0 " + day + " 1 2e7d2c03",
			"gone":      "0100644 0:0 " + day + " 8 c2f60632",
			"was":       "040755 0:0 " + day + ` user.overlay.opaque="y"`, // the file hid it
			"was/file":  "0100644 0:0 " + day + " 1 2d711642",
			"l":         "0120777 0:0 " + day + " -> b",
		})
	})
}
