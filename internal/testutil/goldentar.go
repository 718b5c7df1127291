package testutil

import (
	"archive/tar"
	"strings"
	"testing"
	"time"
)

// GoldenTar is a tar stream with a member of every kind that a layer may hold. Whiteouts, which no stage3 may hold, are
// left out on demand. The same bytes every time: golden digests are made of it.
func GoldenTar(t testing.TB, whiteouts bool) []byte {
	t.Helper()
	members := goldenMembers(whiteouts)
	for i := range members {
		members[i].Format, members[i].anyMode = tar.FormatPAX, true
	}
	return Tar(t, members...)
}

func goldenMembers(whiteouts bool) []Member {
	const capNetRaw = "\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" // vfs_cap_data, version 2
	dir := func(name string, mode int64) Member { return Dir(name).WithMode(mode) }
	file := func(name string, mode int64, data string) Member { return File(name, data).WithMode(mode) }
	link := func(typ byte, name, target string) Member {
		return Member{Header: tar.Header{Typeflag: typ, Name: name, Mode: 0o777, Linkname: target}}
	}
	node := func(typ byte, name string, major, minor int64) Member {
		return Device(name, typ, major, minor).WithMode(0o620).WithOwner(0, 5)
	}
	pax := func(m Member, records map[string]string) Member {
		m.PAXRecords = records
		return m
	}
	owned := func(m Member, uid, gid int) Member { return m.WithOwner(uid, gid) }
	at := func(m Member, sec, nsec int64) Member { return m.WithTime(time.Unix(sec, nsec)) }
	members := []Member{
		dir("./", 0o755),
		dir("./dev/", 0o755),
		node(tar.TypeChar, "./dev/console", 5, 1),
		node(tar.TypeBlock, "./dev/big", 4095, 1<<20-1),
		node(tar.TypeFifo, "./dev/initctl", 0, 0),
		dir("./etc/", 0o755),
		owned(file("./etc/shadow", 0o640, "root:*:\n"), 0, 42),
		file("./etc/empty", 0, ""),
		pax(file("./etc/xattrs", 0o644, "x"), map[string]string{
			"SCHILY.xattr.user.note": "a\x01b\xff", "SCHILY.xattr.user.empty": "", "SCHILY.xattr.trusted.t": "1"}),
		pax(file("./etc/libarchive", 0o644, "x"), map[string]string{"LIBARCHIVE.xattr.user.lib": "bGli"}),
		pax(file("./etc/acl", 0o664, "a"), map[string]string{"SCHILY.acl.access": "user::rw-\nuser:7:rw-\ngroup::r--\nmask::rw-\nother::r--\n"}),
		pax(dir("./etc/acl.d/", 0o775), map[string]string{"SCHILY.acl.default": "user::rwx\ngroup::r-x\ngroup:0:rwx\nmask::rwx\nother::r-x\n"}),
		link(tar.TypeSymlink, "./etc/dangling", "/nonexistent/"+strings.Repeat("t", 120)),
		owned(link(tar.TypeSymlink, "./lib", "usr/lib"), 250, 250),
		dir("./tmp/", 0o1777),
		dir("./usr/", 0o755),
		dir("./usr/bin/", 0o555),
		pax(file("./usr/bin/ping", 0o755, strings.Repeat("ping", 100)), map[string]string{"SCHILY.xattr.security.capability": capNetRaw}),
		link(tar.TypeLink, "./usr/bin/ping6", "./usr/bin/ping"),
		file("./usr/bin/su", 0o4755, "su"),
		file("./usr/big", 0o644, strings.Repeat("data ", 60_000)+string(make([]byte, 2<<20))+"end"),
		file("./usr/"+strings.Repeat("ä ", 80)+"x", 0o644, "long"),
		file("./usr/"+strings.Repeat("n", 255), 0o644, "longest"),
		at(file("./usr/old", 0o644, "old"), -12345, 678),
		at(file("./usr/fraction", 0o644, "fraction"), 1655424000, 123456789),
		owned(file("./usr/nobody", 0o400, "nobody"), 65534, 65534),
		owned(file("./usr/strange", 0o600, "strange"), 1<<21+1, 1<<31-2), // more than ustar holds
		dir("./var/", 0o755),
		owned(dir("./var/mail/", 0o2775), 0, 8),
		owned(file("./var/mail/inherited", 0o660, "i"), 0, 8),
	}
	if whiteouts {
		members = append(members, file("./var/.wh.gone", 0, ""), dir("./var/new/", 0o755), file("./var/new/.wh..wh..opq", 0, ""))
	}
	return members
}
