package chroot

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"xtoo/chroot/host"
	"xtoo/chroot/stage"
	"xtoo/internal/testutil"
)

func TestNodeBasics(t *testing.T) {
	t.Setenv("XTOO_TEST_SECRET", "must not be seen")
	eachTier(t, func(t *testing.T, h *Host) {
		r := newRoot(t, h, append(ordinary(), "lower/srv")...)
		r.node.Spec.Process.Env = []string{"PATH=/bin", "B=2", "A=1 x"}
		r.node.Spec.Process.Cwd = "/srv"
		r.node.Spec.Hostname = "kantoo"
		out, exit := r.run("env", ";", "cwd", ";", "ids", ";", "pid", ";", "umask", ";", "uname", ";", "fds", ";", "limit", "4", ";",
			"readlink", "/proc/self/fd/0", ";", "grep", "/proc/self/status", "Cap", ";", "cat", "/proc/1/environ", ";", "cat", "/proc/1/cmdline", ";",
			"print", ".", ";", "readlink", "/proc/1/fd/3", ";", "readlink", "/proc/1/fd/5", ";", "readlink", "/proc/1/fd/6", ";", "readlink", "/proc/1/fd/7", ";", "readlink", "/proc/1/fd/8", ";", "readlink", "/proc/1/fd/9", ";", "cat", "/proc/1/comm", ";", "zombies")
		if exit.Code != 0 || exit.Signal != 0 {
			t.Errorf("exit %+v", exit)
		}
		contains(t, out, "A=1 x|B=2|PATH=/bin\n", "/srv\n", "0 0 [", "0022\n", "kantoo (none) ", "0 1 2 \n", "0 18446744073709551615\n",
			"/dev/null\n", "xtoo-init\x00", "xtoo-init\n", "zombies 0", "CapInh:\t0000000000000000", "CapAmb:\t0000000000000000")
		if m := regexp.MustCompile(`(?m)^(\d+) 1 (\d+)$`).FindStringSubmatch(out); m == nil || m[1] != m[2] {
			t.Errorf("the process is no child of init, or not in a session of its own:\n%s", out)
		}
		if m := regexp.MustCompile(`(?m)^(/.*cpu.*)$`).FindString(out); m != "" {
			t.Errorf("init holds a file of the host's: %s", m)
		}
		for _, secret := range []string{"XTOO_TEST_SECRET", "_XTOO_STAGE", os.Args[0], "GOMAXPROCS"} {
			if strings.Contains(out, secret) {
				t.Errorf("%q can be seen:\n%s", secret, out)
			}
		}
		if r.upperHas("proc") || r.upperHas("etc/hosts") || r.upperHas("etc/resolv.conf") {
			t.Error("mounting left something in the upper directory")
		}
	})
}

func TestNodeExitCodes(t *testing.T) {
	h := probed(t)
	r := newRoot(t, h)
	codes := []int{0, 1, 2, 77, 126, 127, 128, 130, 255}
	if testutil.IsLong() {
		codes = nil
		for i := range 256 {
			codes = append(codes, i)
		}
	}
	for _, code := range codes {
		if _, exit := r.run("exit", fmt.Sprint(code)); exit.Code != code || exit.Signal != 0 {
			t.Errorf("exit %d: %+v", code, exit)
		}
	}
	for _, s := range []syscall.Signal{syscall.SIGKILL, syscall.SIGHUP, syscall.SIGTERM} {
		if _, exit := r.run("kill", fmt.Sprint(int(s))); exit.Signal != s || exit.Code != 128+int(s) {
			t.Errorf("killed by %v: %+v", s, exit)
		}
	}
}

func TestNodeSystemMounts(t *testing.T) {
	eachTier(t, func(t *testing.T, h *Host) {
		r := newRoot(t, h, ordinary()...)
		out, _ := r.run("ls", "/dev", ";", "stat", "/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty", "/dev/console",
			"/dev/shm", "/dev/mqueue", "/dev/pts", "/dev/pts/ptmx", "/tmp", "/run", ";", "readlink", "/dev/fd", ";", "readlink", "/dev/ptmx", ";",
			"write", "/dev/null", "x", ";", "write", "/sys/x", "x", ";", "write", "/sys/kernel/uevent_helper", "x", ";", "grep", "/proc/self/mounts", " /sys", ";",
			"write", "/tmp/a", "x", ";", "write", "/run/a", "x", ";", "write", "/dev/shm/a", "x", ";", "ls", "/proc/self", ";",
			"grep", "/proc/self/mounts", " / ", ";", "open", "/proc/sysrq-trigger", ";", "open", "/proc/sys/kernel/core_pattern", ";", "ls", "/sys/class/net", ";", "open", "/dev/ptmx", ";", "ls", "/dev/pts")
		contains(t, out, "console fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero \n",
			"/dev/null 20666 ", "rdev 259\n", "/dev/zero 20666", "/dev/tty 20666", "/dev/shm 41777 0:0", "/dev/mqueue 41777", "/dev/pts/ptmx 20666",
			"/tmp 41777 0:0", "/run 40755 0:0", "/proc/self/fd\n", "pts/ptmx\n", "write: error: open /sys/x", "write: error: open /sys/kernel/uevent_helper",
			"open: error: open /proc/sysrq-trigger", "open: error: open /proc/sys/kernel/core_pattern")
		if strings.Contains(out, "open /tmp/a") || strings.Contains(out, "open /run/a") || strings.Contains(out, "shm/a") {
			t.Errorf("a tmpfs cannot be written to:\n%s", out)
		}
		for line := range strings.Lines(out) {
			if f := strings.Fields(line); len(f) > 3 && strings.HasPrefix(f[1], "/sys") && !strings.HasPrefix(f[3], "ro") {
				t.Errorf("writable below /sys: %s", line)
			}
			if strings.Contains(line, r.dir) {
				t.Errorf("the host's paths can be seen: %s", line)
			}
		}
	})
}

func TestNodeNetwork(t *testing.T) {
	eachTier(t, func(t *testing.T, h *Host) {
		r := newRoot(t, h, ordinary()...)
		resolv, err := os.ReadFile("/etc/resolv.conf")
		must(t, err)
		out, _ := r.run("print", "<<", ";", "cat", "/etc/resolv.conf", ";", "print", ">>", ";", "write", "/etc/resolv.conf", "x", ";", "ifaces")
		contains(t, out, "<<\n"+string(resolv)+">>\n", "read-only file system", "lo true")
		links, err := os.ReadDir("/sys/class/net")
		must(t, err)
		for _, l := range links {
			contains(t, out, l.Name()+" ")
		}

		r.node.Network = NetworkNone
		r.node.Spec.Hostname = "alone"
		out, _ = r.run("ifaces", ";", "listen", "80", ";", "cat", "/etc/resolv.conf", ";", "cat", "/etc/hosts", ";", "ls", "/sys/class/net",
			";", "write", "/sys/class/net/lo/mtu", "1400")
		contains(t, out, "lo true;", "connected", "open /etc/resolv.conf: no such file", "127.0.0.1 localhost alone\n", "write: error")
		if strings.Count(out, " true;")+strings.Count(out, " false;") != 1 {
			t.Errorf("there is more than lo:\n%s", out)
		}
		r.node.Network = ""
		r.node.Spec.Linux = &specs.Linux{Namespaces: []specs.LinuxNamespace{{Type: specs.NetworkNamespace}}}
		if out, _ = r.run("ifaces"); out != "lo true;\n" {
			t.Errorf("network namespace of the spec: %s", out)
		}
	})
}

func TestNodeRunFiles(t *testing.T) {
	r := newRoot(t, probed(t), ordinary()...)
	onHost := filepath.Join(r.dir, "from-host")
	must(t, os.WriteFile(onHost, []byte("of the host"), 0o600))
	r.node.Files = map[string]RunFile{
		"xtoo/script":         {Content: []byte("#!/bin/guest print\n"), Mode: 0o755},
		"xtoo/secrets/secret": {Content: []byte("s3cret"), Mode: 0o400},
		"xtoo/host":           {HostPath: onHost},
		"xtoo/files/link":     {Content: []byte("../host"), Mode: os.ModeSymlink | 0o777},
		"xtoo/files/empty":    {Mode: os.ModeDir},
	}
	out, _ := r.run("stat", "/run/xtoo/script", "/run/xtoo/secrets/secret", "/run/xtoo/host", "/run/xtoo/files/empty", ";", "cat", "/run/xtoo/secrets/secret", ";", "cat", "/run/xtoo/files/link", ";", "readlink", "/run/xtoo/files/link")
	contains(t, out, "/run/xtoo/script 100755 0:0", "/run/xtoo/secrets/secret 100400 0:0", "/run/xtoo/files/empty 40755 0:0", "s3cretof the host../host\n")
	r.node.Spec.Process.Args = []string{"/run/xtoo/script", "hello"}
	var b strings.Builder
	r.node.Output = &b
	_, err := r.h.Run(context.Background(), r.freshWork())
	must(t, err)
	if b.String() != "/run/xtoo/script hello\n" {
		t.Errorf("script: %q", b.String())
	}
	for _, bad := range []map[string]RunFile{
		{"": {}}, {"/x": {}}, {"../x": {}}, {"a/../../x": {}}, {"a//b": {}}, {".": {}}, {"p": {Mode: os.ModeNamedPipe}},
		{"l": {Content: []byte("/etc"), Mode: os.ModeSymlink}, "l/passwd": {}},
		{"missing": {HostPath: filepath.Join(r.dir, "nothing")}},
	} {
		r.node.Files = bad
		if _, _, err := r.try("print"); err == nil {
			t.Errorf("the files %v were taken", bad)
		}
	}
}

func TestNodeVolumes(t *testing.T) {
	eachTier(t, func(t *testing.T, h *Host) {
		r := newRoot(t, h, append(ordinary(), "vol/sub")...)
		vol := filepath.Join(r.dir, "vol")
		must(t, os.WriteFile(filepath.Join(vol, "there"), []byte("content"), 0o644))
		r.node.Spec.Mounts = []specs.Mount{
			{Destination: "/var/cache/dist", Source: vol, Type: "bind", Options: []string{"rw"}},
			{Destination: "/mnt/ro", Source: vol, Type: "bind", Options: []string{"rbind", "ro"}},
			{Destination: "/mnt/one", Source: filepath.Join(vol, "there"), Options: []string{"bind", "ro", "nosuid", "nodev", "noexec"}},
			{Destination: "/scratch", Type: "tmpfs", Options: []string{"size=1m", "mode=0700"}},
		}
		out, exit := r.run("write", "/var/cache/dist/new", "x", ";", "cat", "/mnt/ro/there", ";", "write", "/mnt/ro/no", "x", ";", "cat", "/mnt/one", ";",
			"write", "/mnt/one", "x", ";", "stat", "/scratch", ";", "rm", "/mnt/ro/there", ";", "grep", "/proc/self/mounts", "/mnt/one")
		contains(t, out, "contentwrite: error: open /mnt/ro/no: read-only file system\ncontentwrite: error: open /mnt/one: read-only", "/scratch 40700",
			"rm: error", "nosuid,nodev,noexec")
		if exit.Code != 0 {
			t.Errorf("exit %+v", exit)
		}
		if data, err := os.ReadFile(filepath.Join(vol, "new")); err != nil || string(data) != "x" {
			t.Errorf("the volume was not written to: %v", err)
		}
		for _, left := range []string{"var", "mnt", "scratch"} {
			if r.upperHas(left) {
				t.Errorf("the mount point /%s is in the upper directory", left)
			}
		}
	})
}

func TestNodeVolumeErrors(t *testing.T) {
	r := newRoot(t, probed(t), ordinary()...)
	for _, c := range []struct {
		m    specs.Mount
		is   error
		text string
	}{
		{specs.Mount{Destination: "/a", Source: filepath.Join(r.dir, "nothing"), Type: "bind"}, fs.ErrNotExist, "nothing does not exist"},
		{specs.Mount{Destination: "/a", Source: r.dir, Type: "bind", Options: []string{"shared"}}, errUnsupported, `option "shared"`},
		{specs.Mount{Destination: "/a", Source: r.dir, Type: "nfs"}, errUnsupported, `type "nfs"`},
		{specs.Mount{Destination: "/a", Type: "bind"}, nil, "no source"},
		{specs.Mount{Destination: "a", Source: r.dir, Type: "bind"}, nil, "absolute"},
		{specs.Mount{Destination: "/x/..", Source: r.dir, Type: "bind"}, nil, "below /"},
		{specs.Mount{Destination: "/bin/guest", Source: r.dir, Type: "bind"}, nil, "/bin/guest in the image is not a directory"},
		{specs.Mount{Destination: "/bin/guest/x", Source: r.dir, Type: "bind"}, nil, "not a directory"},
		{specs.Mount{Destination: "/tmp", Source: filepath.Join(r.Lower, "bin/guest"), Type: "bind"}, nil, "/tmp in the image is a directory, where a file"},
	} {
		r.node.Spec.Mounts = []specs.Mount{c.m}
		_, _, err := r.try("print", "ran")
		if err == nil {
			t.Errorf("%+v: no error", c.m)
			continue
		}
		if c.is != nil && !errors.Is(err, c.is) {
			t.Errorf("%+v: %v", c.m, err)
		}
		contains(t, err.Error(), c.text)
	}
}

// An image's links never lead a mount out of its root, and missing mount points leave no trace.
func TestNodeHostileLinks(t *testing.T) {
	eachTier(t, func(t *testing.T, h *Host) {
		r := newRoot(t, h, "lower/etc", "lower/usr/real", "outside")
		outside := filepath.Join(r.dir, "outside")
		for name, target := range map[string]string{
			"etc/resolv.conf": "../../../../../.." + outside + "/resolv.conf", // leads to a missing path in the root
			"etc/hosts":       "/run/systemd/hosts",
			"dev":             "/usr/real",
			"tmp":             "../../../../usr/temp/missing",
			"run":             outside,
			"mnt":             "/proc/1/root" + outside,
		} {
			must(t, os.Symlink(target, filepath.Join(r.Lower, name)))
		}
		vol := filepath.Join(r.dir, "vol")
		must(t, os.Mkdir(vol, 0o755))
		must(t, os.WriteFile(filepath.Join(vol, "file"), []byte("volume"), 0o644))
		r.node.Spec.Mounts = []specs.Mount{{Destination: "/mnt/v", Source: vol, Type: "bind"}}
		out, _ := r.run("stat", "/dev/null", ";", "cat", "/etc/hosts", ";", "write", "/run/x", "y", ";", "cat", outside+"/v/file", ";", "write", "/tmp/x", "y", ";", "cat", "/etc/resolv.conf")
		contains(t, out, "/dev/null 20666", "volume")
		if strings.Contains(out, "error") {
			t.Errorf("something failed:\n%s", out)
		}
		entries, err := os.ReadDir(outside)
		must(t, err)
		if len(entries) > 0 {
			t.Errorf("something was made outside: %v", entries)
		}
		for name, info := range tree(t, r.node.Upper) {
			if !info.IsDir() || !slices.Contains([]string{"etc", "usr", "usr/real", "run", "tmp"}, name) {
				t.Errorf("%s (%v) is in the upper directory", name, info.Mode())
			}
		}
	})
}

func TestNodeRootLinkRefused(t *testing.T) {
	r := newRoot(t, probed(t))
	must(t, os.Symlink("/", filepath.Join(r.Lower, "tmp")))
	if _, _, err := r.try("print"); err == nil || !strings.Contains(err.Error(), "leads to its root") {
		t.Errorf("/tmp -> /: %v", err)
	}
	must(t, os.Remove(filepath.Join(r.Lower, "tmp")))
	must(t, os.Symlink("tmp", filepath.Join(r.Lower, "tmp")))
	if _, _, err := r.try("print"); !errors.Is(err, syscall.ELOOP) {
		t.Errorf("/tmp -> tmp: %v", err)
	}
}

// tree lists what is below a directory.
func tree(t testing.TB, dir string) map[string]fs.FileInfo {
	t.Helper()
	all := map[string]fs.FileInfo{}
	must(t, filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || p == dir {
			return err
		}
		info, err := d.Info()
		name, relErr := filepath.Rel(dir, p)
		all[name] = info
		return errors.Join(err, relErr)
	}))
	return all
}

func TestNodeLeavesNoTrace(t *testing.T) {
	eachTier(t, func(t *testing.T, h *Host) {
		r := newRoot(t, h, "lower/var")
		old := time.Date(2001, 2, 3, 4, 5, 6, 789, time.UTC)
		for _, p := range []string{filepath.Join(r.Lower, "var"), r.node.Upper} {
			must(t, os.Chtimes(p, old, old))
		}
		vol := tempDir(t, h)
		r.node.Spec.Mounts = []specs.Mount{{Destination: "/var/a/b/c", Source: vol, Type: "bind"}}
		r.run("print", "nothing")
		for name, info := range tree(t, r.node.Upper) {
			if name != "var" || !info.ModTime().Equal(old) {
				t.Errorf("%s of %v is in the upper directory", name, info.ModTime())
			}
		}
		info, err := os.Stat(r.node.Upper)
		must(t, err)
		if !info.ModTime().Equal(old) {
			t.Errorf("the root is of %v", info.ModTime())
		}
		// What a script does to them itself stays.
		r.run("write", "/var/a/b/mine", "x", ";", "mount", "tmpfs", "/var/a/b/c", ";", "umount", "/proc", ";", "rm", "/proc")
		if !r.upperHas("var/a/b/mine") || r.upperHas("var/a/b/c") || r.upperHas("etc/hosts") || r.upperHas("etc/resolv.conf") || r.upperHas("proc") {
			t.Errorf("the upper directory has %v", tree(t, r.node.Upper))
		}
	})
}

func TestNodeScratch(t *testing.T) {
	eachTier(t, func(t *testing.T, h *Host) {
		r := newRoot(t, h)
		r.node.Upper, r.node.Lowers, r.node.Work = r.Lower, nil, ""
		r.run("write", "/file", "x")
		names := tree(t, r.Lower)
		if len(names) != 3 {
			t.Errorf("the root has %v", names)
		}
	})
}

func TestNodeManyLayers(t *testing.T) {
	eachTier(t, func(t *testing.T, h *Host) {
		r := newRoot(t, h)
		awkward := filepath.Join(r.dir, `la,yers:with=odd\names é`)
		for i := range 200 {
			dir := filepath.Join(awkward, fmt.Sprint(i))
			must(t, os.MkdirAll(dir, 0o755))
			must(t, os.WriteFile(filepath.Join(dir, "top"), fmt.Appendf(nil, "layer %d\n", i), 0o644))
			must(t, os.WriteFile(filepath.Join(dir, fmt.Sprint("f", i)), nil, 0o644))
			r.node.Lowers = append(r.node.Lowers, dir)
		}
		slices.Reverse(r.node.Lowers) // the guest program was first, is last
		out, _ := r.run("cat", "/top", ";", "stat", "/f0", "/f199", ";", "chmod", "/f7", "0600")
		contains(t, out, "layer 199\n", "/f199 100644")
		if !r.upperHas("f7") {
			t.Error("no copy-up")
		}
		// Beyond what one overlay takes, and a whiteout across the seam.
		must(t, os.WriteFile(filepath.Join(r.Lower, "hidden"), nil, 0o644))
		must(t, os.WriteFile(filepath.Join(r.Lower, "shown"), nil, 0o644))
		gone := filepath.Join(awkward, "gone")
		must(t, os.Mkdir(gone, 0o755))
		must(t, syscall.Mknod(filepath.Join(gone, "hidden"), syscall.S_IFCHR, 0))
		r.node.Lowers = slices.Insert(r.node.Lowers, 100, gone)
		for i := len(r.node.Lowers); i < maxStack+20; i++ {
			dir := filepath.Join(r.dir, fmt.Sprint("empty", i))
			must(t, os.Mkdir(dir, 0o755))
			r.node.Lowers = slices.Insert(r.node.Lowers, 150, dir)
		}
		out, _ = r.run("cat", "/top", ";", "stat", "/f0", "/shown", ";", "chmod", "/shown", "0600", ";", "ls", "/")
		contains(t, out, "layer 199\n", "shown")
		if strings.Contains(out, "hidden") || !r.upperHas("shown") {
			t.Errorf("%d layers: %s", len(r.node.Lowers), out)
		}
		for len(r.node.Lowers) <= MaxLayers {
			r.node.Lowers = append(r.node.Lowers, r.Lower)
		}
		if _, _, err := r.try("print"); !errors.Is(err, errTooManyLayers) {
			t.Errorf("%d layers: %v", len(r.node.Lowers), err)
		}
	})
}

func TestNodeNoOverlay(t *testing.T) {
	h := probed(t)
	r := newRoot(t, h)
	r.node.Lowers = []string{filepath.Join(r.dir, "missing")}
	if _, _, err := r.try("print"); !errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrNoOverlay) {
		t.Errorf("a missing layer: %v", err)
	}
	r.node.Lowers = []string{r.Lower}
	must(t, os.Mkdir(filepath.Join(r.node.Work, "work"), 0o700))
	if _, err := h.Run(context.Background(), r.node); err == nil || !strings.Contains(err.Error(), "used before") {
		t.Errorf("a used work directory: %v", err)
	}
	// mqueue is a file system that has no xattrs and is there everywhere.
	p, err := h.Start(context.Background(), stage.Command{Stage: "test.noxattrs", Args: r.dir, Namespaces: syscall.CLONE_NEWIPC})
	must(t, err)
	if err = p.Wait(nil); !errors.Is(err, ErrNoOverlay) || !errors.Is(err, syscall.EOPNOTSUPP) || host.Hint(err) == "" {
		t.Errorf("no user xattrs: %v (%s)", err, host.Hint(err))
	}
	if err := explainOverlay(syscall.EINVAL, r.dir, 3); !errors.Is(err, ErrNoOverlay) || host.Hint(err) == "" {
		t.Errorf("refused: %v (%s)", err, host.Hint(err))
	}
}
