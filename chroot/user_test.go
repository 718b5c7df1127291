package chroot

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"xtoo/chroot/host"
)

// TestNodeImageUser: users of images are looked up in the root, as runtimes do.
func TestNodeImageUser(t *testing.T) {
	eachTier(t, func(t *testing.T, h *Host) {
		r := newRoot(t, h, ordinary()...)
		write := func(name, text string) {
			t.Helper()
			must(t, os.WriteFile(filepath.Join(r.node.Lowers[0], "etc", name), []byte(text), 0o644))
		}
		write("passwd", "root:x:0:0::/root:/bin/sh\nwww:x:80:81::/srv/www:/bin/sh\n")
		write("group", "root:x:0:\nwww:x:81:\ngames:x:35:www,root\n")
		r.node.Spec.Process.Cwd = "/not/there"
		for user, want := range map[string]string{
			"www": "80 81 [35]\nHOME=/srv/www\n/not/there\n", "80": "80 81 [35]\nHOME=/srv/www\n/not/there\n", "www:games": "80 35 []\nHOME=/srv/www\n/not/there\n",
			"www:7": "80 7 []\nHOME=/srv/www\n/not/there\n", "1000": "1000 0 []\nHOME=/\n/not/there\n", "1000:100": "1000 100 []\nHOME=/\n/not/there\n",
			"root": "0 0 [35]\nHOME=/root\n/not/there\n", ":games": "0 35 []\nHOME=/root\n/not/there\n",
		} {
			r.node.User, r.node.Spec.Process.Env = user, []string{"PATH=/bin"}
			out, exit := r.run("ids", ";", "env", ";", "cwd")
			if out = strings.NewReplacer("PATH=/bin|", "", "|PATH=/bin", "").Replace(out); out != want || exit.Code != 0 {
				t.Errorf("user %q: %+v\n got %q\nwant %q", user, exit, out, want)
			}
		}
		r.node.User, r.node.Spec.Process.Env = "www", []string{"PATH=/bin", "HOME=/x"}
		if out, _ := r.run("env"); out != "PATH=/bin|HOME=/x\n" && out != "HOME=/x|PATH=/bin\n" {
			t.Errorf("with a HOME: %q", out)
		}
		for user, want := range map[string]string{"nobody": `user "nobody" of the image: unable to find user nobody`, "www:nogroup": "unable to find group nogroup"} {
			r.node.User = user
			if _, _, err := r.try("ids"); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("user %q: %v", user, err)
			}
		}
		if h.Tier == host.TierMapped && h.CountUIDs() < 1<<31 {
			r.node.User = "3000000000"
			if _, _, err := r.try("ids"); err == nil {
				t.Error("a user that nobody has")
			}
		}
	})
}

// An image's files of users may be anything: nothing is waited for, and what leads out of the root leads nowhere.
func TestNodeHostileUsers(t *testing.T) {
	r := newRoot(t, probed(t), ordinary()...)
	etc := filepath.Join(r.node.Lowers[0], "etc")
	r.node.User = "www"
	run := func() string {
		_, _, err := r.try("ids")
		if err == nil {
			t.Fatal("a user that is not there")
		}
		return err.Error()
	}
	must(t, unix.Mkfifo(filepath.Join(etc, "passwd"), 0o644))
	if got := run(); !strings.Contains(got, "/etc/passwd is no file") {
		t.Errorf("a fifo: %s", got)
	}
	must(t, os.Remove(filepath.Join(etc, "passwd")))
	outside := filepath.Join(r.dir, "passwd")
	must(t, os.WriteFile(outside, []byte("www:x:80:81::/:/bin/sh\n"), 0o644))
	must(t, os.Symlink(outside, filepath.Join(etc, "passwd")))
	if got := run(); !strings.Contains(got, "unable to find user www") {
		t.Errorf("a link to the host: %s", got)
	}
}
