package main

import (
	"archive/tar"
	"fmt"
	"strings"
	"time"

	"xtoo/qemu"
)

// published is the time of every member, and so the newest: the day of the last Funtoo stage3s of the "next" build.
var published = time.Date(2022, 6, 16, 0, 0, 0, 0, time.UTC)

// Numeric owners of the demo, as etc/passwd has them.
const (
	root    = 0
	games   = 35
	portage = 250
	nobody  = 65534
)

// A member is one entry of the archive; header's Size and ModTime are filled in when it is written.
type member struct {
	tar.Header
	data string
}

func dir(path string, mode int64, owner int) member {
	return member{Header: tar.Header{Typeflag: tar.TypeDir, Name: "./" + path, Mode: mode, Uid: owner, Gid: owner}}
}

func file(path string, mode int64, owner int, data string) member {
	return member{Header: tar.Header{Typeflag: tar.TypeReg, Name: "./" + path, Mode: mode, Uid: owner, Gid: owner}, data: data}
}

func symlink(path, target string) member {
	return member{Header: tar.Header{Typeflag: tar.TypeSymlink, Name: "./" + path, Linkname: target, Mode: 0o777}}
}

func hardLink(path, target string) member {
	return member{Header: tar.Header{Typeflag: tar.TypeLink, Name: "./" + path, Linkname: "./" + target, Mode: 0o755}}
}

func device(path string, kind byte, mode, major, minor int64) member {
	return member{Header: tar.Header{Typeflag: kind, Name: "./" + path, Mode: mode, Devmajor: major, Devminor: minor}}
}

func (m member) xattr(name, value string) member {
	m.PAXRecords = map[string]string{"SCHILY.xattr." + name: value}
	return m
}

// capNetRaw is security.capability (struct vfs_cap_data, revision 2) for cap_net_raw+ep.
const capNetRaw = "\x01\x00\x00\x02" + "\x00\x20\x00\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00"

// members lists the whole stage3 in the order of a sorted tar: layout, the binary with a link a tool, and the
// members that every unpacker must get right.
func members(a qemu.Arch, box []byte, tools []string) []member {
	all := layout(a)
	all = append(all, file("bin/box", 0o755, root, string(box)))
	for _, name := range tools {
		all = append(all, symlink("bin/"+name, "box"))
	}
	all = append(all, awkward()...)
	return sorted(all)
}

// layout is what a Funtoo root has for people and programs to find.
func layout(a qemu.Arch) []member {
	all := []member{dir("", 0o755, root)}
	for _, d := range strings.Fields(`bin dev etc etc/conf.d etc/env.d etc/portage etc/portage/make.profile etc/runlevels
		etc/runlevels/boot etc/runlevels/default etc/runlevels/sysinit home lib mnt opt proc run sbin sys usr usr/bin
		usr/lib usr/local usr/local/bin usr/sbin usr/share usr/src var var/cache var/db var/db/pkg var/lib var/log`) {
		all = append(all, dir(d, 0o755, root))
	}
	all = append(all, dir("root", 0o700, root), dir("tmp", 0o1777, root), dir("var/tmp", 0o1777, root))
	for _, f := range []struct{ path, text string }{
		{"etc/conf.d/hostname", "hostname=\"localhost\"\n"},
		{"etc/fstab", "# /dev/sda3 / ext4 noatime 0 1\n"},
		{"etc/gentoo-release", "Funtoo-like demo root\n"},
		{"etc/group", "root:x:0:root\ngames:x:35:\nportage:x:250:\nnobody:x:65534:\n"},
		{"etc/hosts", "127.0.0.1 localhost\n::1 localhost\n"},
		{"etc/os-release", "NAME=\"xtoo demo root\"\nID=funtoo\nPRETTY_NAME=\"Funtoo-like demo root, made from Go source\"\n"},
		{"etc/passwd", "root:x:0:0:root:/root:/bin/sh\ngames:x:35:35:games:/usr/games:/bin/false\n" +
			"portage:x:250:250:portage:/var/tmp/portage:/bin/false\nnobody:x:65534:65534:nobody:/:/bin/false\n"},
		{"etc/portage/make.conf", fmt.Sprintf("CHOST=%q\n", a.CHOST)},
		{"etc/portage/make.profile/parent", a.Name + " " + a.Subarch + "\n"},
		{"etc/rc.conf", "#rc_sys=\"\"\n"},
		{"etc/shells", "/bin/sh\n"},
		{"usr/src/README", "What a project excludes never enters the base layer: this directory, in the example.\n"},
	} {
		all = append(all, file(f.path, 0o644, root, f.text))
	}
	return append(all,
		file("etc/shadow", 0o640, root, "root:*:19159:0:::::\nnobody:*:19159:0:::::\n"),
		symlink("etc/mtab", "/proc/self/mounts"),
		file("sbin/init", 0o755, root, "#!/bin/sh\necho \"init: the demo root has no services; this is a shell\"\nexec /bin/sh\n"),
		symlink("usr/bin/env", "../../bin/env"),
	)
}

// awkward is the part that a careless tool loses: devices, owners, setuid bits, capabilities, attributes, hard links,
// names that need a PAX header.
func awkward() []member {
	script := "#!/bin/sh\nexit 0\n"
	long := "usr/share/" + strings.Repeat("n", 120)
	return []member{
		device("dev/console", tar.TypeChar, 0o600, 5, 1),
		device("dev/null", tar.TypeChar, 0o666, 1, 3),
		device("dev/loop0", tar.TypeBlock, 0o660, 7, 0),
		device("run/initctl", tar.TypeFifo, 0o600, 0, 0),
		file("usr/bin/suid-probe", 0o4755, root, script),
		file("usr/bin/cap-probe", 0o755, root, script).xattr("security.capability", capNetRaw),
		hardLink("usr/bin/cap-probe-hardlink", "usr/bin/cap-probe"),
		file("usr/share/attributed", 0o644, root, "this file has an attribute\n").xattr("user.xtoo.probe", "stage3 xattr"),
		dir("var/cache/distfiles", 0o2775, portage),
		dir("var/games", 0o775, games),
		file("var/games/scores", 0o664, games, "0\n"),
		dir("var/lib/nobody-private", 0o700, nobody),
		file("var/lib/nobody-private/file", 0o400, nobody, "secret of nobody\n"),
		symlink("etc/dangling", "/nonexistent/target"),
		dir(long, 0o755, root),
		file(long+"/"+strings.Repeat("p", 100)+" with spaces and ünïcode", 0o644, root, "long\n"),
	}
}
