package chroot

import (
	"encoding/json"
	"fmt"
	"net"
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

// harmless is a setting of the kernel that changes nothing on a machine without a laptop's disk.
const harmless = "/proc/sys/vm/laptop_mode"

// TestNodeTouchesNothing: whatever a script tries, the host's settings, devices, programs and read-only volumes stay.
func TestNodeTouchesNothing(t *testing.T) {
	eachTier(t, func(t *testing.T, h *Host) {
		before := hostState(t)
		t.Cleanup(before.restore)
		r := newRoot(t, h, append(ordinary(), "lower/mnt", "lower/new")...)
		vol := filepath.Join(r.dir, "vol")
		must(t, os.Mkdir(vol, 0o777))
		must(t, os.WriteFile(filepath.Join(vol, "there"), []byte("content"), 0o666))
		r.node.Spec.Mounts = []specs.Mount{{Destination: "/vol", Source: vol, Type: "bind", Options: []string{"rbind", "ro"}}}
		for _, network := range []Network{NetworkHost, NetworkNone} {
			r.node.Network = network
			out, _ := r.run("umount", "/proc/sys", ";", "write", harmless, "7", ";", "remount", "/proc/sys", ";", "write", harmless, "7", ";",
				"mount", "proc", "/mnt", ";", "write", strings.Replace(harmless, "/proc", "/mnt", 1), "7", ";",
				"remount", "/sys", ";", "write", "/sys/kernel/uevent_helper", "x", ";", "mount", "sysfs", "/new", ";", "write", "/new/kernel/uevent_helper", "x", ";",
				"chmod", "/proc/1/exe", "4777", ";", "open", "/proc/1/exe", ";", "chmod", "/proc/self/exe", "0755", ";",
				"chmod", "/dev/full", "0600", ";", "chown", "/dev/full", "0", "0", ";", "remount", "/dev/full", ";", "chmod", "/dev/full", "0600", ";",
				"remount", "/vol", ";", "write", "/vol/no", "x", ";", "rm", "/vol/there", ";", "umount", "/vol", ";", "ls", "/vol", ";",
				"steal", "1", ";", "ls", "/proc/1/fd")
			before.compare(t)
			if strings.Contains(out, "stolen") {
				t.Errorf("network %s: the script got at files of init:\n%s", network, out)
			}
			contains(t, out, "there \n", "write: error: open "+harmless, "write: error: open /vol/no: read-only", "chmod: error: read-only file system",
				"steal: error: operation not permitted")
		}
		if names := tree(t, vol); len(names) != 1 {
			t.Errorf("the read-only volume has %v", names)
		}
	})
}

// TestNodeOwnMounts: a script can still mount things of its own, and make namespaces below its own.
func TestNodeOwnMounts(t *testing.T) {
	eachTier(t, func(t *testing.T, h *Host) {
		r := newRoot(t, h, append(ordinary(), "lower/mnt", "lower/new")...)
		out, _ := r.run("mount", "tmpfs", "/mnt", ";", "write", "/mnt/x", "y", ";", "bind", "/mnt", "/new", ";", "cat", "/new/x", ";", "umount", "/new", ";",
			"bind", "/", "/new", ";", "stat", "/new/bin/guest", ";", "umount", "/mnt", ";", "sandbox", "mount", "tmpfs", "/mnt", ",", "pid")
		if strings.Contains(out, "error") {
			t.Errorf("a script cannot mount:\n%s", out)
		}
		contains(t, out, "y/new/bin/guest 100755", "1 0 ")
		covered := h.RealRoot() && h.prepareNobody(t.Context()) != nil
		if out, _ = r.run("sandbox", "mount", "proc", "/proc", ",", "ls", "/proc"); strings.Contains(out, "error") != covered {
			t.Errorf("a sandbox with a /proc of its own:\n%s", out)
		}
	})
}

// TestNodeNobody: what real root executes has ids that are nobody's, and files on disk have the owners that a script gives them.
func TestNodeNobody(t *testing.T) {
	h := probed(t)
	if !h.RealRoot() || h.Tier != host.TierMapped {
		t.Skip("this needs to be root: of others the ids are their own")
	}
	if err := h.prepareNobody(t.Context()); err != nil {
		testutil.SkipOrFail(t, "%v", err)
	}
	r := newRoot(t, h, append(ordinary(), "vol")...)
	must(t, os.WriteFile(filepath.Join(r.dir, "vol/file"), []byte("of root"), 0o600))
	must(t, os.WriteFile(filepath.Join(r.dir, "one"), []byte("alone"), 0o600))
	must(t, os.Chmod(r.dir, 0o700)) // only root gets there
	r.node.Spec.Mounts = []specs.Mount{
		{Destination: "/vol", Source: filepath.Join(r.dir, "vol"), Type: "bind"}, {Destination: "/one", Source: filepath.Join(r.dir, "one"), Type: "bind"},
	}
	out, _ := r.run("write", "/f", "x", ";", "chown", "/f", "250", "250", ";", "stat", "/f", "/bin/guest", "/vol/file", ";", "cat", "/vol/file", ";", "cat", "/one", ";",
		"write", "/vol/new", "y", ";", "write", harmless, "7", ";", "mount", "proc", "/proc", ";", "grep", "/proc/self/uid_map", "0")
	contains(t, out, "/f 100644 250:250", "/bin/guest 100755 0:0", "/vol/file 100600 0:0", "of rootalone", "open "+harmless+": permission denied", " 2147483646\n")
	for p, want := range map[string]uint32{"upper/f": 250, "vol/new": 0} {
		var st unix.Stat_t
		must(t, unix.Stat(filepath.Join(r.dir, p), &st))
		if st.Uid != want || st.Gid != want {
			t.Errorf("%s belongs to %d:%d", p, st.Uid, st.Gid)
		}
	}
	// Errors have the paths of the host.
	lowers := r.node.Lowers
	r.node.Lowers = []string{filepath.Join(r.dir, "missing")}
	if _, _, err := r.try("print"); err == nil || !strings.Contains(err.Error(), r.node.Lowers[0]) {
		t.Errorf("a missing layer: %v", err)
	}
	r.node.Lowers = lowers
	// The file system of a volume cannot map ids.
	r.node.Spec.Mounts = append(r.node.Spec.Mounts, specs.Mount{Destination: "/of-kernel", Source: "/sys/kernel", Type: "bind"})
	out, _ = r.run("grep", "/proc/self/uid_map", "0", ";", "cat", "/vol/file", ";", "ls", "/of-kernel", ";", "write", harmless, "7")
	contains(t, out, " 4294967295\n", "of root", "uevent_seqnum", "open "+harmless+": read-only")
	r.node.Spec.Mounts, r.node.Dirs = nil, nil
	if out, _ = r.run("grep", "/proc/self/uid_map", "0"); !strings.Contains(out, " 4294967295") {
		t.Errorf("where nobody says what to mount, root has its own ids: %s", out)
	}
}

// state is what of the host a script might change.
type state struct {
	setting string
	modes   map[string]os.FileMode
}

// hostState notes it.
func hostState(t *testing.T) *state {
	t.Helper()
	s := &state{modes: map[string]os.FileMode{}}
	data, err := os.ReadFile(harmless)
	must(t, err)
	s.setting = string(data)
	exe, err := os.Executable()
	must(t, err)
	for _, p := range []string{exe, "/dev/full", "/dev/null"} {
		info, err := os.Stat(p)
		must(t, err)
		s.modes[p] = info.Mode()
	}
	return s
}

func (s *state) compare(t *testing.T) {
	t.Helper()
	data, err := os.ReadFile(harmless)
	must(t, err)
	if string(data) != s.setting {
		t.Errorf("%s is %q, was %q", harmless, data, s.setting)
	}
	for p, mode := range s.modes {
		if info, err := os.Stat(p); err != nil || info.Mode() != mode {
			t.Errorf("%s: %v, %v; was %v", p, info.Mode(), err, mode)
		}
	}
}

// restore is for the time before it was so.
func (s *state) restore() {
	if os.Geteuid() != 0 {
		return
	}
	for p, mode := range s.modes {
		if err := os.Chmod(p, mode); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
	if err := os.WriteFile(harmless, []byte(s.setting), 0); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
}

// TestNodeKeyring: what is in the caller's session keyring is not in the script's.
func TestNodeKeyring(t *testing.T) {
	r := newRoot(t, probed(t), ordinary()...)
	runtime.LockOSThread() // whose keyring it is; never unlocked, so that it goes with the test
	if _, err := unix.KeyctlInt(unix.KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0, 0); err != nil {
		testutil.SkipOrFail(t, "no keyrings here: %v", err)
	}
	_, err := unix.AddKey("user", "xtoo-test", []byte("secret-of-the-caller"), unix.KEY_SPEC_SESSION_KEYRING)
	must(t, err)
	args, err := json.Marshal(map[string]any{
		"Args": []string{"/bin/guest", "keys"}, "Lowers": r.node.Lowers, "Upper": r.node.Upper, "Work": r.node.Work,
	})
	must(t, err)
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), driverVar+"="+string(args))
	out, _ := cmd.CombinedOutput() // it ends with an error in any case
	contains(t, string(out), "keyring keyring;")
	if strings.Contains(string(out), "secret-of-the-caller") {
		t.Errorf("the script reads the caller's keys:\n%s", out)
	}
}

// TestNodeAbstractSockets: with the host's network, abstract sockets of the host are closed to a script, its own are not.
func TestNodeAbstractSockets(t *testing.T) {
	const landlockVersion, scopes = 1, 6
	if abi, _, errno := unix.RawSyscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, landlockVersion); errno != 0 || abi < scopes {
		testutil.SkipOrFail(t, "this kernel's Landlock (version %d, %v) has no scopes", abi, errno)
	}
	name := fmt.Sprintf("xtoo-test-%d", os.Getpid())
	server, err := net.Listen("unix", "@"+name)
	must(t, err)
	defer server.Close()
	r := newRoot(t, probed(t), ordinary()...)
	out, _ := r.run("connect", name, ";", "abstract", name+"-own", ";", "connect", name+"-own")
	if out != "connect: error: operation not permitted\n" {
		t.Errorf("%s", out)
	}
}
