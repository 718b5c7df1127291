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

	"xtoo/internal/testutil"
	"xtoo/layers"
)

// capNetRaw is what setcap cap_net_raw+ep writes.
const capNetRaw = "\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"

// awkward has one of everything that a layer may hold.
func awkward(t testing.TB) []byte {
	return testutil.Tar(t,
		testutil.Dir("./").WithMode(0o755).WithTime(day1),
		testutil.Dir("./dev/"),
		testutil.Device("./dev/console", tar.TypeChar, 5, 1).WithMode(0o600),
		testutil.Device("./dev/loop0", tar.TypeBlock, 7, 0).WithMode(0o660).WithOwner(0, 6),
		testutil.Device("./dev/big", tar.TypeChar, 4095, 1<<20-1).WithMode(0o666),
		testutil.Device("./dev/zerozero", tar.TypeChar, 0, 0).WithMode(0o666),
		testutil.Dir("./etc/").WithTime(day1),
		testutil.File("./etc/shadow", "root:*:\n").WithMode(0o640).WithOwner(0, 42),
		testutil.File("./etc/probe", "x").WithXattr("user.note", "a\x00b").WithXattr("user.xtoo.probe", "kept").WithXattr("trusted.note", "t").
			WithXattr("user.overlay.x", "no").WithXattr("user.xtoo.device", "c 1 3").WithXattr("security.selinux", "label").WithXattr("system.nosuchthing", ""),
		testutil.File("./etc/acl", "a").WithMode(0o664).WithPAX("SCHILY.acl.access", "user::rw-\nuser:7:rw-\ngroup::r--\nmask::rw-\nother::r--\n"),
		testutil.Dir("./etc/acl.d/").WithPAX("SCHILY.acl.default", "user::rwx\ngroup::r-x\ngroup:0:rwx\nmask::rwx\nother::r-x\n"),
		testutil.File("./etc/acl.d/plain", "p").WithMode(0o600),
		testutil.Dir("./etc/acl.d/sub/").WithMode(0o700),
		testutil.Symlink("./etc/dangling", "/nonexistent/target").WithMode(0o777).WithOwner(250, 250),
		testutil.Dir("./run/"),
		testutil.Device("./run/fifo", tar.TypeFifo, 0, 0).WithMode(0o600),
		testutil.Dir("./usr/"),
		testutil.Dir("./usr/bin/").WithMode(0o555),
		testutil.File("./usr/bin/ping", "ping").WithMode(0o755).WithXattr("security.capability", capNetRaw),
		testutil.Link("./usr/bin/ping6", "./usr/bin/ping").WithMode(0o755),
		testutil.File("./usr/bin/su", "su").WithMode(0o4755),
		testutil.File("./usr/bin/chage", "chage").WithMode(0o2755).WithOwner(0, 42),
		testutil.File("./usr/bin/empty", "").WithMode(0),
		testutil.Dir("./usr/none/").WithMode(0o1),
		testutil.File("./usr/none/file", "nobody").WithMode(0o400).WithOwner(65534, 65534),
		testutil.File("./usr/"+strings.Repeat("ä ", 80)+"x", "long"),
		testutil.File("./usr/"+strings.Repeat("n", 255), "longest"),
		testutil.File("./usr/old", "old").WithTime(time.Unix(-12345, 678)),
		testutil.File("./usr/sparse", string(make([]byte, 1<<20))+"end"),
		testutil.Dir("./var/"),
		testutil.Dir("./var/mail/").WithMode(0o2775).WithOwner(0, 8),
		testutil.File("./var/mail/inherited", "i").WithMode(0o660).WithOwner(0, 8),
		testutil.File("./var/mail/roots", "r").WithMode(0o600),
		testutil.File("./var/mail/uids", "u").WithMode(0o600).WithOwner(5, 0),
		testutil.Dir("./var/mail/sub/").WithMode(0o755),
	)
}

func TestUnpackAwkward(t *testing.T) {
	inTiers(t, func(t *testing.T, tier string) {
		syscall.Umask(0o077)
		dir, res := unpackTo(t, "fs", awkward(t))
		if res.Entries != 35 || !res.Newest.Equal(day1) || res.UsedLowers {
			t.Errorf("result %+v", res)
		}
		tree := testutil.Dump(t, dir)
		ownersCanRemove(t, dir)
		for path, want := range map[string]map[string]string{
			".":                               {"": "040755 0:0 1655424000.123456789"},
			"dev/console":                     {"": `0100600 0:0 1655337600.000000000 0 e3b0c442 user.xtoo.device="c 5 1"`},
			"dev/big":                         {"": `0100666 0:0 1655337600.000000000 0 e3b0c442 user.xtoo.device="c 4095 1048575"`},
			"dev/zerozero":                    {"": `0100666 0:0 1655337600.000000000 0 e3b0c442 user.xtoo.device="c 0 0"`},
			"etc":                             {"": "040755 0:0 1655424000.123456789"},
			"etc/acl.d/plain":                 {"": "0100600 0:0 1655337600.000000000 1 148de9c5"},
			"etc/acl.d/sub":                   {"": "040700 0:0 1655337600.000000000"},
			"run/fifo":                        {"": "010600 0:0 1655337600.000000000"},
			"usr/bin":                         {"mapped": "040555 0:0 1655337600.000000000", "single": `041755 0:0 1655337600.000000000 user.xtoo.mode="555"`},
			"usr/bin/su":                      {"": "0104755 0:0 1655337600.000000000 2 0a64ce10"},
			"usr/bin/empty":                   {"": "0100644 0:0 1655337600.000000000 0 e3b0c442"},
			"usr/old":                         {"": "0100644 0:0 -12345.000000678 3 cba06b57"},
			"usr/bin/chage":                   {"mapped": "0102755 0:42 1655337600.000000000 5 4abe5468", "single": "0102755 0:0 1655337600.000000000 5 4abe5468" + ` user.rootlesscontainers="\b\xff\xff\xff\xff\x0f\x10*"`},
			"usr/none/file":                   {"mapped": "0100400 65534:65534 1655337600.000000000 6 6382b3cc", "single": `0100400 0:0 1655337600.000000000 6 6382b3cc user.rootlesscontainers="\b\xfe\xff\x03\x10\xfe\xff\x03"`},
			"etc/dangling":                    {"mapped": "0120777 250:250 1655337600.000000000 -> /nonexistent/target", "single": "0120777 0:0 1655337600.000000000 -> /nonexistent/target" + ` security.capability="\x00\x00\x00\x02\xfa\x00\x00\x00\xfa\x00\x00\x00xtoo\x00\x00\x00\x00"`},
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
		if lost["etc/dangling: owner 250:250"] || !lost["etc/probe: xattr user.overlay.x"] || !lost["etc/probe: xattr user.xtoo.device"] {
			t.Errorf("lost: %v", res.Lost)
		}
	})
}

func TestUnpackWhiteouts(t *testing.T) {
	inTiers(t, func(t *testing.T, _ string) {
		dir, res := unpackTo(t, "fs", testutil.Tar(t,
			testutil.Dir("a/"),
			testutil.File("a/.wh.gone", ""),
			testutil.File("a/.wh..wh.plnk", ""),
			testutil.Dir(".wh..wh.orph/"),
			testutil.File(".wh..wh.orph/inside", "x"),
			testutil.Dir("b/"),
			testutil.File("b/.wh.early", ""),
			testutil.Dir("b/sub/"),
			testutil.File("b/sub/.wh.deep", ""),
			testutil.File("b/.wh..wh..opq", ""),
			testutil.File("b/new", "n"),
			testutil.File("b/.wh.late", ""),
			testutil.File(".wh.file", ""),
			testutil.File("file", "again"),
			testutil.File(".wh.dir", ""),
			testutil.Dir("dir/"),
			testutil.Dir("dir2/"),
			testutil.File(".wh.dir2", ""),
			testutil.File("file2", "stays"),
			testutil.File(".wh.file2", ""),
			testutil.File(".wh.implied", ""),
			testutil.File("implied/x", "x"),
		))
		tree := testutil.Dump(t, dir)
		const day = "1655337600.000000000"
		testutil.SameTrees(t, "tree", tree, map[string]string{
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
		if _, res := unpackTo(t, "opaque", testutil.Tar(t, testutil.File(".wh..wh..opq", ""))); !res.OpaqueRoot {
			t.Error("the opaque root was not reported")
		}
	})
}

func TestUnpackLowers(t *testing.T) {
	inTiers(t, func(t *testing.T, tier string) {
		low, _ := unpackTo(t, "low", testutil.Tar(t,
			testutil.Dir("d/").WithMode(0o2750).WithOwner(0, 8).WithTime(day1),
			testutil.File("d/file", "low").WithMode(0o4755).WithOwner(5, 0),
			testutil.Symlink("d/link", "file").WithMode(0o777),
			testutil.File("d/hidden", "h"),
			testutil.Device("d/dev", tar.TypeChar, 1, 3),
		))
		mid, _ := unpackTo(t, "mid", testutil.Tar(t, testutil.File("d/.wh.hidden", "")), low)
		data := testutil.Tar(t,
			testutil.Link("d/again", "d/file"),
			testutil.Link("d/symlink", "d/link"),
			testutil.Link("d/device", "d/dev"),
		)
		top, res := unpackTo(t, "top", data, mid, low)
		if !res.UsedLowers {
			t.Error("UsedLowers is not set")
		}
		tree, lower := testutil.Dump(t, top), testutil.Dump(t, low)
		for a, b := range map[string]string{"d": "d", "d/again": "d/file", "d/symlink": "d/link", "d/device": "d/dev"} {
			if tree[a] != lower[b] || tree[a] == "" {
				t.Errorf("%s\n is   %s\n want %s", a, tree[a], lower[b])
			}
		}
		for _, target := range []string{"d/hidden", "d", "nothing", "d/link/x"} {
			data := testutil.Tar(t, testutil.Link("x", target))
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

// What a layer leaves out is taken from the layers below however deep it lies, and through layers that say nothing of it.
func TestUnpackLowersDeep(t *testing.T) {
	inTiers(t, func(t *testing.T, _ string) {
		low, _ := unpackTo(t, "low", testutil.Tar(t,
			testutil.Dir("etc/"), testutil.Dir("etc/ssl/").WithMode(0o711).WithOwner(0, 7), testutil.Dir("etc/ssl/private/").WithMode(0o710).WithOwner(0, 101).WithTime(day1),
			testutil.Dir("etc/ssl/private/deep/").WithMode(0o700), testutil.File("etc/ssl/private/deep/cert", "c").WithMode(0o600).WithOwner(5, 6)))
		mid, _ := unpackTo(t, "mid", testutil.Tar(t, testutil.File("etc/motd", "m")), low)
		top, res := unpackTo(t, "top", testutil.Tar(t,
			testutil.File("etc/ssl/private/key", "k"), testutil.Link("etc/ssl/link", "etc/ssl/private/deep/cert")), mid, low)
		if !res.UsedLowers {
			t.Error("UsedLowers is not set")
		}
		tree, lower := testutil.Dump(t, top), testutil.Dump(t, low)
		for a, b := range map[string]string{"etc": "etc", "etc/ssl": "etc/ssl", "etc/ssl/private": "etc/ssl/private", "etc/ssl/link": "etc/ssl/private/deep/cert"} {
			if tree[a] != lower[b] || tree[a] == "" {
				t.Errorf("%s\n is   %s\n want %s", a, tree[a], lower[b])
			}
		}
	})
}

// Names in access control lists are those of the image: of this layer, or of one below.
func TestUnpackNamedACL(t *testing.T) {
	inTiers(t, func(t *testing.T, _ string) {
		const name, list, meant = "SCHILY.acl.access", "user::rwx\nuser:who:r-x\ngroup::r-x\ngroup:adm:r-x\nmask::r-x\nother::r-x\n", "u::rwx,u:0:r-x,g::r-x,g:0:r-x,m::r-x,o::r-x"
		low, res := unpackTo(t, "low", testutil.Tar(t, testutil.Dir("log/").WithPAX(name, list), testutil.Dir("ids/").WithPAX(name, meant),
			testutil.Dir("etc/"), testutil.File("etc/passwd", "who:x:0:0\n"), testutil.File("etc/group", "no\nadm:x:0:\n")))
		top, res2 := unpackTo(t, "top", testutil.Tar(t, testutil.Dir("log2/").WithPAX(name, list), testutil.File("f", "").WithPAX(name, strings.ReplaceAll(list, "adm", "nobody"))), low)
		want := testutil.Dump(t, low)["ids"]
		for _, got := range []string{testutil.Dump(t, low)["log"], testutil.Dump(t, top)["log2"]} {
			if got != want || !strings.Contains(got, "posix_acl_access") {
				t.Errorf("is %s\n want %s", got, want)
			}
		}
		if len(res.Lost) != 0 || len(res2.Lost) != 1 || res2.Lost[0].Path != "f" || !strings.Contains(res2.Lost[0].What, "group:nobody:r-x") {
			t.Errorf("lost %+v, %+v", res.Lost, res2.Lost)
		}
	})
}

func TestUnpackLastWins(t *testing.T) {
	inTiers(t, func(t *testing.T, _ string) {
		dir, _ := unpackTo(t, "fs", testutil.Tar(t,
			testutil.File("file", "first").WithMode(0o4755).WithXattr("user.a", "1"),
			testutil.File("file", "2"),
			testutil.Dir("dir/").WithMode(0o2777).WithOwner(7, 0).WithXattr("user.a", "1"),
			testutil.File("dir/child", "c"),
			testutil.Dir("dir/").WithXattr("user.b", "2"),
			testutil.Dir("gone/deep/er/").WithMode(0o1),
			testutil.File("gone/deep/er/file", "x"),
			testutil.File("gone", "file now"),
			testutil.File("was", "file"),
			testutil.Dir("was/"),
			testutil.File("was/file", "x"),
			testutil.Symlink("l", "a").WithMode(0o777),
			testutil.Symlink("l", "b").WithMode(0o777),
			testutil.Link("h", "file"),
			testutil.Link("h", "file"),
			testutil.Dir("./").WithMode(0o711).WithTime(day1),
		))
		const day = "1655337600.000000000"
		testutil.SameTrees(t, "tree", testutil.Dump(t, dir), map[string]string{
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
