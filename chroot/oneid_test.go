package chroot

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"xtoo/chroot/host"
	"xtoo/internal/testutil"
)

// ownerRoot is a root with the program that asks for owners.
func ownerRoot(t testing.TB, h *Host, env ...string) *testRoot {
	t.Helper()
	r := newRootOf(t, h, testProgram(t, "ownerguest", env...), ordinary()...)
	r.node.ReadBack = true
	return r
}

// lines runs the guest and compares what it says, line by line.
func (r *testRoot) lines(script string, want ...string) {
	r.t.Helper()
	out, exit := r.run(strings.Fields(script)...)
	got := strings.Split(strings.TrimSpace(out), "\n")
	if exit.Code != 0 || len(exit.Notes) > 0 {
		r.t.Errorf("exit %+v", exit)
	}
	for i := range max(len(got), len(want)) {
		g, w := "(nothing)", "(nothing)"
		if i < len(got) {
			g = got[i]
		}
		if i < len(want) {
			w = want[i]
		}
		if g != w {
			r.t.Errorf("%s\n got  %s\n want %s", script, g, w)
		}
	}
}

// TestOwnersAreAnswered: what a script asks for it reads back, in each tier.
func TestOwnersAreAnswered(t *testing.T) {
	eachTier(t, func(t *testing.T, h *Host) {
		r := ownerRoot(t, h)
		r.lines(`write /f x ; chown /f 1000 2000 ; stat /f ; symlink f /l ; lchown /l 3 4 ; stat /l /f ;
			fifo /p ; chown /p 5 6 ; stat /p ; fchown /f 7 -1 ; stat /f ; fchown /f -1 8 ; stat /f ;
			mkdir /d ; write /d/g xy ; fchownat /d g 9 10 ; stat /d/g ; cd /d ; chown ../d/g 11 12 ; stat g ;
			link g h ; stat h ; rename g k ; stat k ; chown k 0 0 ; stat h ; chmod k 4755 ; stat k ; chown k 13 13 ; stat k ;
			remove k ; write k z ; stat k`,
			"/f 100644 1000:2000 rdev 0 size 1 links 1",
			"/l 120777 3:4 rdev 0 size 1 links 1", "/f 100644 1000:2000 rdev 0 size 1 links 1",
			"/p 10640 5:6 rdev 0 size 0 links 1",
			"/f 100644 7:2000 rdev 0 size 1 links 1", "/f 100644 7:8 rdev 0 size 1 links 1",
			"/d/g 100644 9:10 rdev 0 size 2 links 1", "g 100644 11:12 rdev 0 size 2 links 1",
			"h 100644 11:12 rdev 0 size 2 links 2", "k 100644 11:12 rdev 0 size 2 links 2",
			"h 100644 0:0 rdev 0 size 2 links 2", "k 104755 0:0 rdev 0 size 2 links 2", "k 100755 13:13 rdev 0 size 2 links 2",
			"k 100644 0:0 rdev 0 size 1 links 1")
		// In the next node, from the lower layer: the record is copied up with the file.
		r.node.Lowers = append([]string{r.node.Upper}, r.node.Lowers...)
		r.node.Upper = r.dir + "/upper2"
		r.mkdir("upper2")
		r.lines(`stat /f /l /p ; rename /f /moved ; stat /moved ; lchown /l -1 40 ; stat /l ; chown /p 0 -1 ; stat /p`,
			"/f 100644 7:8 rdev 0 size 1 links 1", "/l 120777 3:4 rdev 0 size 1 links 1", "/p 10640 5:6 rdev 0 size 0 links 1",
			"/moved 100644 7:8 rdev 0 size 1 links 1", "/l 120777 3:40 rdev 0 size 1 links 1", "/p 10640 0:6 rdev 0 size 0 links 1")
	})
}

// TestDevicesAreAnswered: device nodes can be made, in each tier.
func TestDevicesAreAnswered(t *testing.T) {
	eachTier(t, func(t *testing.T, h *Host) {
		r := ownerRoot(t, h)
		r.lines(`umask 027 ; mknod /null c 666 1 3 ; mknod /disk b 660 7 0 ; mknod /null c 666 1 3 ; mknod /zero c 0 0 0 ;
			setxattr /null user.xtoo.device x ; listxattr /null ; rename /null /moved ; link /moved /again`,
			"mknod /null c 666 1 3: error: file exists", "mknod /zero c 0 0 0: error: operation not permitted",
			"setxattr /null user.xtoo.device x: error: operation not permitted", "/null []")
		r.lines(`stat /moved /disk`, "/moved 20640 0:0 rdev 259 size 0 links 2", "/disk 60640 0:0 rdev 1792 size 0 links 1")
	})
}

// TestUnread: with a range of ids a process is ended before it records what it could not read back, and with that shown it goes on.
func TestUnread(t *testing.T) {
	for _, script := range []string{"mknod /null c 666 1 3", "write /f x ; chown /f 4000000000 0", "symlink a /l ; lchown /l 0 4000000000"} {
		eachTier(t, func(t *testing.T, h *Host) {
			r := ownerRoot(t, h)
			r.node.ReadBack = false
			out, exit := r.run(strings.Fields("number 39 ; " + script + " ; number 39")...)
			if want := h.Tier == host.TierMapped; exit.Unread != want || want == (strings.Count(out, "call 39 0") == 2) {
				t.Errorf("%s: exit %+v, %q", script, exit, out)
			}
			if exit.Unread {
				r.node.ReadBack = true
				if out, exit = r.run(strings.Fields("number 39 ; write /own x ; chown /own 7 8")...); exit.Unread || exit.Code != 0 {
					t.Errorf("%s: exit %+v, %q", script, exit, out)
				}
			}
		})
	}
}

// TestAttributesAreAnswered: what the kernel refuses to a user namespace is kept, shown and removed.
func TestAttributesAreAnswered(t *testing.T) {
	eachTier(t, func(t *testing.T, h *Host) {
		r := ownerRoot(t, h)
		r.lines(`write /f x ; chown /f 4000000000 4000000000 ; setxattr /f trusted.a b ; setxattr /f security.c d ; setxattr /f user.e f ;
			listxattr /f ; getxattr /f trusted.a ; getxattr /f security.c ; getxattr /f user.e ; removexattr /f trusted.a ;
			removexattr /f trusted.a ; getxattr /f trusted.a ; listxattr /f ; getxattr /f user.rootlesscontainers ;
			setxattr /f user.rootlesscontainers x ; removexattr /f user.rootlesscontainers`,
			"/f [security.c trusted.a user.e]", `trusted.a "b"`, `security.c "d"`, `user.e "f"`,
			"removexattr /f trusted.a: error: no data available", "getxattr /f trusted.a: error: no data available",
			"/f [security.c user.e]", "getxattr /f user.rootlesscontainers: error: no data available",
			"setxattr /f user.rootlesscontainers x: error: operation not permitted",
			"removexattr /f user.rootlesscontainers: error: no data available")
		list := func(mode string) string {
			return `system.posix_acl_access "\x02\x00\x00\x00\x01\x00\x06\x00\xff\xff\xff\xff\x02\x00\a\x00\x00(k\xee\x04\x00\x04\x00\xff\xff\xff\xff\x10\x00` +
				mode + `\x00\xff\xff\xff\xff \x00\x04\x00\xff\xff\xff\xff"`
		}
		r.lines(`write /g x ; acl /g 4000000000 ; getxattr /g system.posix_acl_access ; chmod /g 654 ;
			getxattr /g system.posix_acl_access ; listxattr /g`,
			list(`\a`), list(`\x05`), "/g [system.posix_acl_access]")
	})
}

// TestDefaultLists: what is made below a directory with a default list of access has the list that the kernel would give it, in each tier.
func TestDefaultLists(t *testing.T) {
	eachTier(t, func(t *testing.T, h *Host) {
		if h.Tier == host.TierMapped && !h.HasUID(1000) {
			t.Skip("needs a range of ids that has 1000")
		}
		r := ownerRoot(t, h)
		list := func(name, owner, mask, other string) string {
			return name + ` "\x02\x00\x00\x00\x01\x00` + owner + `\x00\xff\xff\xff\xff\x02\x00\a\x00\xe8\x03\x00\x00\x04\x00\x04\x00\xff\xff\xff\xff\x10\x00` +
				mask + `\x00\xff\xff\xff\xff \x00` + other + `\x00\xff\xff\xff\xff"`
		}
		const access, def = "system.posix_acl_access", "system.posix_acl_default"
		r.lines(`umask 077 ; mkdir /d ; chmod /d 777 ; default /d 1000 ; make /d/f 666 ; make /d/g 640 ; mkdir /d/e ; symlink f /d/l ; stat /d/f /d/g /d/e /d/l ;
			getxattr /d/f system.posix_acl_access ; getxattr /d/g system.posix_acl_access ; getxattr /d/e system.posix_acl_access ; getxattr /d/e system.posix_acl_default`,
			"/d/f 100664 0:0 rdev 0 size 0 links 1", "/d/g 100640 0:0 rdev 0 size 0 links 1", "/d/e 40654 0:0 rdev 0 size 0 links 2", "/d/l 120777 0:0 rdev 0 size 1 links 1",
			list(access, `\x06`, `\x06`, `\x04`), list(access, `\x06`, `\x04`, `\x00`), list(access, `\x06`, `\x05`, `\x04`), list(def, `\x06`, `\a`, `\x04`))
		// In the next node, from the lower layer; then as another user.
		r.node.Lowers, r.node.Lists = append([]string{r.node.Upper}, r.node.Lowers...), true
		r.node.Upper = r.dir + "/upper2"
		r.mkdir("upper2")
		r.lines(`make /d/e/h 666 ; getxattr /d/e/h system.posix_acl_access ; rename /d/e/h /h ; getxattr /h system.posix_acl_access ; make /i 666 ; getxattr /i system.posix_acl_access ;
			mknod /d/null c 666 1 3 ; stat /d/null ; getxattr /d/null system.posix_acl_access ; as 7 ; make /d/j 666 ; stat /d/j ; getxattr /d/j system.posix_acl_access`,
			list(access, `\x06`, `\x06`, `\x04`), list(access, `\x06`, `\x06`, `\x04`), "getxattr /i system.posix_acl_access: error: no data available",
			"/d/null 20664 0:0 rdev 259 size 0 links 1", list(access, `\x06`, `\x06`, `\x04`),
			"/d/j 100664 7:0 rdev 0 size 0 links 1", list(access, `\x06`, `\x06`, `\x04`))
	})
}

// TestPassedCreds: a node in which messages say who sent them is exact as long as everybody is user 0.
func TestPassedCreds(t *testing.T) {
	r := ownerRoot(t, single(t))
	for script, exact := range map[string]bool{"passcred": true, "as 7": true, "passcred ; as 7": false} {
		if _, exit := r.run(strings.Fields(script)...); exit.Exact != exact || len(exit.Inexact) == 0 != exact {
			t.Errorf("%s: %+v", script, exit)
		}
	}
}

// TestEveryABI: programs of 32 bits are answered as others are.
func TestEveryABI(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("the programs are x86's")
	}
	r := ownerRoot(t, single(t), "GOARCH=386")
	r.lines(`write /f x ; chown /f 70000 2000 ; stat /f ; lchown /f 3 4 ; fchown /f -1 5 ; stat /f ; mknod /null c 666 1 3 ; stat /null ;
		setxattr /f trusted.a b ; getxattr /f trusted.a ; listxattr /f ; number 425`,
		"/f 100644 70000:2000 rdev 0 size 1 links 1", "/f 100644 3:5 rdev 0 size 1 links 1", "/null 20644 0:0 rdev 259 size 0 links 1",
		`trusted.a "b"`, "/f [trusted.a]", "call 425 38")
	ownerRoot(t, single(t)).lines(`number 0x40000027 ; number 425 ; number 39`, "call 0x40000027 38", "call 425 38", "call 39 0")
}

// TestEmulatedOwners: an emulator's own calls are answered.
func TestEmulatedOwners(t *testing.T) {
	testutil.Long(t, "compiles for other architectures")
	h := single(t)
	for _, f := range foreigners()[:2] {
		t.Run(f.name, func(t *testing.T) {
			a := arch(t, f.name)
			needForeign(t, a)
			e, err := h.Emulate(t.Context(), a, nil)
			must(t, err)
			r := ownerRoot(t, h, f.build...)
			r.node.Emulation = e
			r.lines(`write /f x ; chown /f 70000 2000 ; stat /f ; lchown /f 3 4 ; fchown /f -1 5 ; stat /f ; mknod /null c 666 1 3 ; stat /null ;
				setxattr /f trusted.a b ; getxattr /f trusted.a ; listxattr /f`,
				"/f 100644 70000:2000 rdev 0 size 1 links 1", "/f 100644 3:5 rdev 0 size 1 links 1", "/null 20644 0:0 rdev 259 size 0 links 1",
				`trusted.a "b"`, "/f [trusted.a]")
		})
	}
}

// TestOwnersInDirectories: a recorded group is passed on as a real one is, and paths are the process's own.
func TestOwnersInDirectories(t *testing.T) {
	r := ownerRoot(t, single(t))
	r.lines(`mkdir /d ; chown /d 0 50 ; chmod /d 2775 ; write /d/f x ; mkdir /d/e ; write /d/e/g x ; chown /d/e/g 7 -1 ; stat /d/f /d/e /d/e/g ;
		chown /d/f 0 0 ; stat /d/f`,
		"/d/f 100644 0:50 rdev 0 size 1 links 1", "/d/e 42755 0:50 rdev 0 size 0 links 2", "/d/e/g 100644 7:50 rdev 0 size 1 links 1",
		"/d/f 100644 0:0 rdev 0 size 1 links 1")
	r.lines(`mkdir /root ; write /root/f x ; write /f x ; symlink /f /root/l ; chroot /root ; chown /l 5 6 ; chown /../f 5 -1 ; cd / ; stat f`,
		"f 100644 5:6 rdev 0 size 1 links 1")
	r.lines(`stat /f ; cd /d ; chown /proc/self/cwd/f 8 9 ; stat f ; chown /proc/self/root/f 1 1 ; stat /f ; chown /proc/self/status 1 1 ;
		chown /proc/1/root/f 2 2 ; stat /f`,
		"/f 100644 0:0 rdev 0 size 1 links 1", "f 100644 8:9 rdev 0 size 1 links 1", "/f 100644 1:1 rdev 0 size 1 links 1",
		"chown /proc/1/root/f 2 2: error: permission denied", "/f 100644 1:1 rdev 0 size 1 links 1")
}

// TestGroupsStay: what a file was passed on it keeps, and what it was not it does not get, whatever becomes of its directory.
func TestGroupsStay(t *testing.T) {
	r := ownerRoot(t, single(t))
	r.lines(`mkdir /a ; write /a/f x ; mkdir /a/d ; symlink f /a/l ; chown /a/f 7 -1 ; chown /a 0 33 ; chmod /a 2775 ; write /a/g x ; stat /a/f /a/d /a/g`,
		"/a/f 100644 7:0 rdev 0 size 1 links 1", "/a/d 40755 0:0 rdev 0 size 0 links 2", "/a/g 100644 0:33 rdev 0 size 1 links 1")
	r.lines(`mkdir /b ; chmod /b 2775 ; write /b/f x ; chown /b 0 33 ; write /b/g x ; mkdir /b/d ; write /b/d/h x ; chown /b 0 8 ; write /b/i x ;
		stat /b/f /b/g /b/d/h /b/i`,
		"/b/f 100644 0:0 rdev 0 size 1 links 1", "/b/g 100644 0:33 rdev 0 size 1 links 1", "/b/d/h 100644 0:33 rdev 0 size 1 links 1",
		"/b/i 100644 0:8 rdev 0 size 1 links 1")
	r.lines(`mkdir /c ; write /c/x x ; write /a/m x ; chmod /a/m 4755 ; rename /a/m /c/m ; link /a/g /c/g ; rename /c/x /a/x ; rename /b/d /c/d ; rename /a/x /a/y ;
		stat /c/m /c/g /a/y /c/d /c/d/h`,
		"/c/m 104755 0:33 rdev 0 size 1 links 1", "/c/g 100644 0:33 rdev 0 size 1 links 2", "/a/y 100644 0:0 rdev 0 size 1 links 1",
		"/c/d 42755 0:33 rdev 0 size 0 links 2", "/c/d/h 100644 0:33 rdev 0 size 1 links 1")
	// Without the bit: what is there keeps its group, what comes does not get it.
	r.lines(`mkdir /s ; chown /s 0 33 ; chmod /s 2775 ; write /s/f x ; symlink f /s/l ; mkdir /s/d ; write /s/d/g x ; chown /s/f 7 -1 ; chmod /s 755 ; write /s/n x ;
		write /s/d/h x ; stat /s/f /s/l /s/d /s/d/g /s/d/h /s/n ; chmod /s/d 700 ; write /s/d/n x ; stat /s/d/g /s/d/h /s/d/n ; chmod /s 2755 ; write /s/o x ; stat /s/f /s/n /s/o`,
		"/s/f 100644 7:33 rdev 0 size 1 links 1", "/s/l 120777 0:33 rdev 0 size 1 links 1", "/s/d 42755 0:33 rdev 0 size 0 links 2",
		"/s/d/g 100644 0:33 rdev 0 size 1 links 1", "/s/d/h 100644 0:33 rdev 0 size 1 links 1", "/s/n 100644 0:0 rdev 0 size 1 links 1",
		"/s/d/g 100644 0:33 rdev 0 size 1 links 1", "/s/d/h 100644 0:33 rdev 0 size 1 links 1", "/s/d/n 100644 0:0 rdev 0 size 1 links 1",
		"/s/f 100644 7:33 rdev 0 size 1 links 1", "/s/n 100644 0:0 rdev 0 size 1 links 1", "/s/o 100644 0:33 rdev 0 size 1 links 1")
	r.lines(`unnamed /a /a/u ; stat /a/u`, "/a/u 100644 0:33 rdev 0 size 0 links 1")
}

// TestOwnersOfTheHost: files of the host that are mounted are not touched, and a chown of them succeeds.
func TestOwnersOfTheHost(t *testing.T) {
	h := single(t)
	r := ownerRoot(t, h)
	r.mkdir("volume")
	must(t, os.WriteFile(filepath.Join(r.dir, "volume/file"), nil, 0o644))
	r.node.Spec.Mounts = []specs.Mount{{Type: "bind", Source: filepath.Join(r.dir, "volume"), Destination: "/volume"}}
	r.lines(`chown /volume/file 5 6 ; chown /dev/null 5 6 ; chown /etc/resolv.conf 5 6 ; setxattr /volume/file trusted.x y ; mknod /volume/null c 666 1 3 ;
		write /tmp/f x ; chown /tmp/f 5 6 ; stat /tmp/f /volume/file ; listxattr /volume/file`,
		"setxattr /volume/file trusted.x y: error: operation not permitted", "mknod /volume/null c 666 1 3: error: operation not permitted",
		"/tmp/f 100644 5:6 rdev 0 size 1 links 1", "/volume/file 100644 0:0 rdev 0 size 0 links 1", "/volume/file []")
	if n, err := unix.Llistxattr(filepath.Join(r.dir, "volume/file"), nil); n != 0 || err != nil {
		t.Errorf("%d bytes of attributes, %v", n, err)
	}
}

// TestVolumesMountedAgain: a volume that a script mounts elsewhere is still the host's, whatever was mounted there before.
func TestVolumesMountedAgain(t *testing.T) {
	eachTier(t, func(t *testing.T, h *Host) {
		r := ownerRoot(t, h)
		r.mkdir("volume")
		must(t, os.WriteFile(filepath.Join(r.dir, "volume/file"), nil, 0o644))
		before := testutil.Dump(t, filepath.Join(r.dir, "volume"))
		r.node.Spec.Mounts = []specs.Mount{{Type: "bind", Source: filepath.Join(r.dir, "volume"), Destination: "/volume"}}
		round := `mount tmpfs /m ; write /m/f x ; chown /m/f 4000000005 6 ; unmount /m ;
			mount /volume /m ; chown /m/file 4000000005 6 ; setxattr /m/file trusted.x y ; mknod /m/null c 666 1 3 ; unmount /m ; `
		refused := []string{"setxattr /m/file trusted.x y: error: operation not permitted", "mknod /m/null c 666 1 3: error: operation not permitted"}
		// The other way about: what is its own after that is recorded.
		r.lines("mkdir /m ; "+round+round+"mount tmpfs /m ; write /m/f x ; chown /m/f 4000000005 6 ; setxattr /m/f trusted.x y ; getxattr /m/f trusted.x",
			append(append(refused, refused...), `trusted.x "y"`)...)
		testutil.SameTrees(t, "the volume", testutil.Dump(t, filepath.Join(r.dir, "volume")), before)
	})
}

// TestHostileCalls: nothing that a script does with its calls reaches beyond its root, or stops init.
func TestHostileCalls(t *testing.T) {
	eachTier(t, func(t *testing.T, h *Host) {
		r := ownerRoot(t, h)
		r.mkdir("volume")
		before := testutil.Dump(t, filepath.Join(r.dir, "volume"))
		r.node.Spec.Mounts = []specs.Mount{{Type: "bind", Source: filepath.Join(r.dir, "volume"), Destination: "/volume"}}
		length := "200ms"
		if testutil.IsLong() && h.Tier == host.TierSingle { // with a range of ids the calls are the kernel's
			length = "1m"
		}
		r.lines("mkdir /r ; cd /r ; race "+length, "raced")
		testutil.SameTrees(t, "the volume", testutil.Dump(t, filepath.Join(r.dir, "volume")), before)
		r.lines("write /f x ; threads /f 1000", "all answered")
		r.lines("killed /f", "all killed")
	})
}

// TestNobodyListens: where somebody else listens already, a change of owner succeeds and is not recorded, which is said.
func TestNobodyListens(t *testing.T) {
	r := ownerRoot(t, single(t))
	args, err := json.Marshal(map[string]any{
		"Args": []string{"/bin/guest", "write", "/f", "x", ";", "chown", "/f", "5", "6", ";", "stat", "/f"}, "Lowers": r.node.Lowers, "Upper": r.node.Upper, "Work": r.node.Work,
	})
	must(t, err)
	program, err := os.Executable()
	must(t, err)
	cmd := exec.Command(testProgram(t, "listened"), program)
	cmd.Env = append(os.Environ(), driverVar+"="+string(args), "XTOO_TIER=single")
	out, _ := cmd.CombinedOutput()
	contains(t, string(out), "/f 100644 0:0 rdev 0 size 1 links 1", "exact: false, because what a script gives to users and groups that this user does not have stays root's: ",
		"somebody answers the calls of this program already")
}
