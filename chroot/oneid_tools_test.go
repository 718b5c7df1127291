package chroot

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"xtoo/internal/testutil"
)

// toolRoot is a root in which the host's programs can be executed.
func toolRoot(t *testing.T, h *Host, tools ...string) *testRoot {
	t.Helper()
	testutil.Need(t, append([]string{"sh"}, tools...)...)
	r := newRoot(t, h, ordinary()...)
	must(t, os.RemoveAll(filepath.Join(r.Lower, "bin")))
	for _, dir := range []string{"/usr", "/bin", "/sbin", "/lib", "/lib64"} {
		if to, err := os.Readlink(dir); err == nil {
			must(t, os.Symlink(to, filepath.Join(r.Lower, dir)))
		} else if _, err := os.Stat(dir); err == nil {
			r.node.Spec.Mounts = append(r.node.Spec.Mounts, specs.Mount{Type: "bind", Source: dir, Destination: dir, Options: []string{"rbind", "ro"}})
		}
	}
	must(t, os.WriteFile(filepath.Join(r.Lower, "etc/passwd"), []byte("root:x:0:0::/:/bin/sh\nsomebody:x:1000:1000::/:/bin/sh\n"), 0o644))
	must(t, os.WriteFile(filepath.Join(r.Lower, "etc/group"), []byte("root:x:0:\nsomebody:x:1000:\nstaff:x:50:\n"), 0o644))
	r.node.Spec.Process.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"}
	return r
}

// shell runs a script and returns what it prints.
func (r *testRoot) shell(script string) string {
	r.t.Helper()
	var out strings.Builder
	n := r.freshWork()
	n.Output = &out
	n.Spec.Process.Args = []string{"/bin/sh", "-euc", script}
	exit, err := r.h.Run(r.t.Context(), n)
	if err != nil || exit.Code != 0 || len(exit.Notes)+len(exit.Inexact) > 0 {
		r.t.Errorf("%+v, %v: %s", exit, err, out.String())
	}
	return out.String()
}

// TestToolsSeeOwners: the programs with which scripts move files about keep owners, devices and attributes.
func TestToolsSeeOwners(t *testing.T) {
	r := toolRoot(t, single(t), "tar", "stat", "install", "cp")
	got := r.shell(`
		mkdir /a; echo x > /a/f; chown somebody:staff /a/f; ln -s f /a/l; chown -h 7:8 /a/l; mknod /a/null c 1 3; chmod 4755 /a/f
		mkfifo /a/p; chown 9 /a/p; chown 1:2 /a; install -o 5 -g 6 -m 640 /a/f /a/i
		cp -a /a /b; tar -C / -cf /t.tar a; mkdir /c; tar -C /c --same-owner -xpf /t.tar
		sed -i s/x/y/ /b/f; mv /b/i /b/moved; chmod g+s /b; touch /b/new; ln /b/new /b/hard; [ -c /a/null ]
		cd /; stat -c '%n %F %u:%g %a %t:%T' /a/* /b /b/* /c/a /c/a/*`)
	want := `/a/f regular file 1000:50 4755 0:0
/a/i regular file 5:6 640 0:0
/a/l symbolic link 7:8 777 0:0
/a/null character special file 0:0 644 1:3
/a/p fifo 9:0 644 0:0
/b directory 1:2 2755 0:0
/b/f regular file 1000:50 755 0:0
/b/hard regular empty file 0:2 644 0:0
/b/l symbolic link 7:8 777 0:0
/b/moved regular file 5:6 640 0:0
/b/new regular empty file 0:2 644 0:0
/b/null character special file 0:0 644 1:3
/b/p fifo 9:0 644 0:0
/c/a directory 1:2 755 0:0
/c/a/f regular file 1000:50 4755 0:0
/c/a/i regular file 5:6 640 0:0
/c/a/l symbolic link 7:8 777 0:0
/c/a/null character special file 0:0 644 1:3
/c/a/p fifo 9:0 644 0:0
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
