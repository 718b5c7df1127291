package chroot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"xtoo/chroot/host"
	"xtoo/internal/testutil"
)

func TestNodeProcess(t *testing.T) {
	h := probed(t)
	r := newRoot(t, h)
	mask := uint32(0o077)
	r.node.Spec.Process.User = specs.User{Umask: &mask}
	r.node.Spec.Process.NoNewPrivileges = true
	r.node.Spec.Process.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_FSIZE", Soft: 123, Hard: 456}}
	r.node.Spec.Process.Capabilities = &specs.LinuxCapabilities{Bounding: []string{"CAP_CHOWN", "CAP_NET_BIND_SERVICE"}}
	r.node.Spec.Linux = &specs.Linux{Personality: &specs.LinuxPersonality{Domain: specs.PerLinux32}, MaskedPaths: []string{"/proc/acpi", "/proc/version"}, ReadonlyPaths: []string{"/bin"}}
	r.node.Spec.Domainname = "example"
	out, _ := r.run("umask", ";", "grep", "/proc/self/status", "NoNewPrivs", ";", "limit", "1", ";", "grep", "/proc/self/status", "Cap", ";", "uname", ";",
		"print", "<", ";", "cat", "/proc/version", ";", "print", ">", ";", "write", "/bin/x", "y")
	contains(t, out, "0077\n", "NoNewPrivs:\t1", "123 456\n", "CapBnd:\t0000000000000401", "CapEff:\t0000000000000401", "localhost example ", "<\n>\n", "read-only")
	if strings.Contains(out, "x86_64") {
		t.Errorf("personality: %s", out)
	}
	if h.Tier == host.TierMapped {
		r.node.Spec.Process = &specs.Process{
			Cwd: "/", Env: []string{"PATH=/bin"}, User: specs.User{UID: 1000, GID: 100, AdditionalGids: []uint32{10, 27}},
			Capabilities: &specs.LinuxCapabilities{Bounding: []string{"CAP_CHOWN", "CAP_KILL"}, Ambient: []string{"CAP_KILL"}},
		}
		out, _ = r.run("ids", ";", "grep", "/proc/self/status", "Cap")
		contains(t, out, "1000 100 [10 27]", "CapEff:\t0000000000000020", "CapBnd:\t0000000000000021")
	}
}

func TestNodeNotExecutable(t *testing.T) {
	eachTier(t, func(t *testing.T, h *Host) {
		r := newRoot(t, h, append(ordinary(), "lower/d")...)
		files := map[string]string{
			"missing-interp": "#!/usr/bin/python3 -u\n", "crlf": "#!/bin/guest\r\n", "no-shebang": "echo hello\n", "empty-shebang": "#!\n",
			"loop": "#!/loop2\n",
		}
		for name, text := range files {
			must(t, os.WriteFile(filepath.Join(r.Lower, name), []byte(text), 0o755))
		}
		must(t, os.WriteFile(filepath.Join(r.Lower, "no-x"), []byte("#!/bin/guest\n"), 0o644))
		elf, err := os.ReadFile(filepath.Join(r.Lower, "bin/guest"))
		must(t, err)
		elf[18], elf[19] = 8, 0 // e_machine: MIPS
		must(t, os.WriteFile(filepath.Join(r.Lower, "other-machine"), elf, 0o755))
		for program, text := range map[string]string{
			"/missing-interp": "the interpreter /usr/bin/python3 of its #! line is not in the image",
			"/crlf":           "carriage return", "/no-shebang": "neither a program nor a script", "/empty-shebang": "names no interpreter",
			"/no-x": "may not be executed", "/nothing": "no such file in the image", "nothing": "not in the PATH /bin",
			"/other-machine": "another machine (EM_MIPS", "/loop": "interpreter /loop2",
		} {
			r.node.Spec.Process.Args = []string{program}
			_, err := r.h.Run(context.Background(), r.freshWork())
			if !errors.Is(err, ErrNotExecutable) {
				t.Errorf("%s: %v", program, err)
				continue
			}
			contains(t, err.Error(), text)
		}
		r.node.Spec.Process.Args = []string{"/bin/guest"}
		r.node.Spec.Process.Cwd = "/nowhere"
		if _, err := r.h.Run(context.Background(), r.freshWork()); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "working directory") {
			t.Errorf("working directory: %v", err)
		}
	})
}

func TestNodeUnsupported(t *testing.T) {
	h := probed(t)
	one := 1
	base := func() *specs.Spec { return &specs.Spec{Process: &specs.Process{Args: []string{"x"}}} }
	for name, change := range map[string]func(*specs.Spec){
		"root":     func(s *specs.Spec) { s.Root = &specs.Root{Path: "rootfs"} },
		"hooks":    func(s *specs.Spec) { s.Hooks = &specs.Hooks{} },
		"terminal": func(s *specs.Spec) { s.Process.Terminal = true },
		"oom":      func(s *specs.Spec) { s.Process.OOMScoreAdj = &one },
		"seccomp":  func(s *specs.Spec) { s.Linux = &specs.Linux{Seccomp: &specs.LinuxSeccomp{}} },
		"cgroups":  func(s *specs.Spec) { s.Linux = &specs.Linux{Resources: &specs.LinuxResources{}} },
		"path": func(s *specs.Spec) {
			s.Linux = &specs.Linux{Namespaces: []specs.LinuxNamespace{{Type: specs.NetworkNamespace, Path: "/x"}}}
		},
		"cgroupns": func(s *specs.Spec) {
			s.Linux = &specs.Linux{Namespaces: []specs.LinuxNamespace{{Type: specs.CgroupNamespace}}}
		},
		"rlimit":  func(s *specs.Spec) { s.Process.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_AS"}} },
		"windows": func(s *specs.Spec) { s.Windows = &specs.Windows{} },
	} {
		s := base()
		change(s)
		if _, err := h.Run(context.Background(), Node{Spec: s, Upper: "/x", Work: "/x"}); !errors.Is(err, errUnsupported) {
			t.Errorf("%s: %v", name, err)
		}
	}
	s := base()
	s.Process.Capabilities = &specs.LinuxCapabilities{Bounding: []string{"CAP_NONSENSE"}}
	if _, err := h.Run(context.Background(), Node{Spec: s, Upper: "/x", Work: "/x"}); err == nil {
		t.Error("an unknown capability was taken")
	}
	if _, err := h.Run(context.Background(), Node{Spec: &specs.Spec{}}); err == nil {
		t.Error("a spec without a process was taken")
	}
}

func TestNodeOutput(t *testing.T) {
	h := probed(t)
	r := newRoot(t, h)
	out, _ := r.run("print", "1", ";", "eprint", "2", ";", "print", "3", ";", "wait", "eprint", "4", ";", "print", "5")
	if out != "1\n2\n3\n4\n5\n" {
		t.Errorf("order: %q", out)
	}
	const size = 100 << 20
	var count counter
	r.node.Output = &count
	r.node.Spec.Process.Args = []string{"guest", "flood", fmt.Sprint(size)}
	_, err := h.Run(context.Background(), r.freshWork())
	must(t, err)
	if count.n < size || count.n > size+1024 {
		t.Errorf("%d bytes of %d", count.n, size)
	}
	// A log that cannot be written ends the node, and is the error.
	full := errors.New("log full")
	r.node.Output = failing{full}
	r.node.Spec.Process.Args = []string{"guest", "flood", "1000000", ";", "sleep", "1h"}
	timer := testutil.NewTimer()
	if _, err = h.Run(context.Background(), r.freshWork()); !errors.Is(err, full) {
		t.Error(err)
	}
	timer.Within(t, 2*time.Second+slack, "a node without a log")
}

type counter struct{ n int }

func (c *counter) Write(b []byte) (int, error) { c.n += len(b); return len(b), nil }

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

var _ io.Writer = failing{}

func TestNodeOwners(t *testing.T) {
	h := probed(t)
	r := newRoot(t, h)
	verbs := func(id string) []string {
		return []string{"rm", "/f", ";", "write", "/f", "x", ";", "chown", "/f", id, id, ";", "stat", "/f", ";", "chmod", "/f", "4755", ";", "wait", "setid", id, id, ",", "ids"}
	}
	if h.Tier == host.TierMapped {
		for _, id := range []string{"1", "250", "65534", "65536"} {
			out, _ := r.run(verbs(id)...)
			contains(t, out, "/f 100644 "+id+":"+id, "\n"+id+" "+id+" [")
		}
	}
	r.h = single(t)
	r.node.Upper, r.node.Work = filepath.Join(r.dir, "upper1"), filepath.Join(r.dir, "work1")
	must(t, os.Mkdir(r.node.Upper, 0o755))
	must(t, os.Mkdir(r.node.Work, 0o755))
	out, _ := r.run(verbs("250")...)
	contains(t, out, "/f 100644 250:250")
	r.node.Spec.Process.User.UID = 250
	r.node.Spec.Process.Capabilities = &specs.LinuxCapabilities{}
	if _, _, err := r.try("ids"); err == nil || !strings.Contains(err.Error(), "only 1 ids") {
		t.Errorf("user 250 with one id and bounded capabilities: %v", err)
	}
}

// TestNodeUser: the process begins as the user that its specification says, in each tier; what it makes is that user's.
func TestNodeUser(t *testing.T) {
	eachTier(t, func(t *testing.T, h *Host) {
		r := newRoot(t, h, ordinary()...)
		r.run("mkdir", "/open", ";", "chmod", "/open", "777", ";", "mkdir", "/closed")
		for _, c := range []struct {
			user specs.User
			want string
		}{
			{specs.User{UID: 1000, GID: 100, AdditionalGids: []uint32{10, 27}}, "1000 100 [10 27]\n/open/1000 40755 1000:100 rdev 0\nmkdir: error: mkdir /closed/1000: permission denied\nsetid: error: operation not permitted\n1000 100 [10 27]\n"},
			{specs.User{UID: 250}, "250 0 []\n/open/250 40755 250:0 rdev 0\nmkdir: error: mkdir /closed/250: permission denied\nsetid: error: operation not permitted\n250 0 []\n"},
			{specs.User{GID: 7}, "0 7 []\n/open/0 40755 0:7 rdev 0\n0 0 []\n"},
		} {
			r.node.Spec.Process.User = c.user
			id := strconv.Itoa(int(c.user.UID))
			out, exit := r.run("ids", ";", "mkdir", "/open/"+id, ";", "stat", "/open/"+id, ";", "mkdir", "/closed/"+id, ";", "setid", "0", "0", ";", "wait", "ids")
			if out != c.want || exit.Code != 0 || len(exit.Inexact) > 0 {
				t.Errorf("user %+v: %+v\n got %q\nwant %q", c.user, exit, out, c.want)
			}
		}
		r.node.Spec.Process.User = specs.User{}
		if out, _ := r.run("ids"); out != "0 0 []\n" {
			t.Errorf("after them: %q", out)
		}
	})
}

// Paths may be relative to the working directory of the caller, who is elsewhere than init.
func TestNodeRelativePaths(t *testing.T) {
	r := newRoot(t, probed(t), append(ordinary(), "vol")...)
	t.Chdir(r.dir)
	must(t, os.WriteFile("vol/file", []byte("of the volume "), 0o644))
	must(t, os.WriteFile("file", []byte("of the host"), 0o644))
	r.node.Lowers, r.node.Upper, r.node.Work = []string{"lower"}, "upper", "work"
	r.node.Files = map[string]RunFile{"xtoo/file": {HostPath: "file"}}
	r.node.Spec.Mounts = []specs.Mount{{Destination: "/vol", Source: "vol", Type: "bind"}}
	r.node.Spec.Process.Args = []string{"guest", "cat", "/vol/file", ";", "cat", "/run/xtoo/file"}
	var out strings.Builder
	r.node.Output = &out
	_, err := r.h.Run(context.Background(), r.node)
	must(t, err)
	if out.String() != "of the volume of the host" {
		t.Errorf("%q", out.String())
	}
	if r.node.Upper != "upper" || r.node.Lowers[0] != "lower" || r.node.Spec.Mounts[0].Source != "vol" || r.node.Files["xtoo/file"].HostPath != "file" {
		t.Error("the caller's node was changed")
	}
}
