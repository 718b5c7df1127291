package host

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/moby/sys/user"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"xtoo/internal/testutil"
)

// fakeHost is a root with some small files.
func fakeHost(t testing.TB, files map[string]string) settings {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		p := filepath.Join(root, name)
		must(t, os.MkdirAll(filepath.Dir(p), 0o755))
		must(t, os.WriteFile(p, []byte(text), 0o644))
	}
	return settings{root}
}

func TestProbeForbidden(t *testing.T) {
	ns := map[string]string{"/proc/self/ns/user": ""}
	with := func(name, value string) map[string]string {
		return map[string]string{"/proc/self/ns/user": "", "/proc/sys/" + name: value + "\n"}
	}
	for _, c := range []struct {
		files map[string]string
		text  string
		hint  string
	}{
		{files: map[string]string{}, text: "/proc is not mounted", hint: "mount -t proc"},
		{files: map[string]string{"/proc/self/x": ""}, text: "built without", hint: "CONFIG_USER_NS"},
		{files: with("user/max_user_namespaces", "0"), text: "user.max_user_namespaces = 0", hint: "sysctl -w user.max_user_namespaces=15000"},
		{files: with("kernel/unprivileged_userns_clone", "0"), text: "unprivileged_userns_clone = 0", hint: "sysctl -w kernel.unprivileged_userns_clone=1"},
	} {
		_, err := probe(fakeHost(t, c.files), "single")
		if !errors.Is(err, ErrNoNamespaces) {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		contains(t, err.Error(), c.text)
		contains(t, Hint(err), c.hint)
	}
	if _, err := probe(fakeHost(t, ns), "single"); err != nil {
		t.Errorf("nothing forbids it: %v", err)
	}
	if _, err := probe(fakeHost(t, ns), "double"); err == nil {
		t.Error("an unknown tier was taken")
	}
}

func TestExplainStart(t *testing.T) {
	aa := fakeHost(t, map[string]string{"/proc/sys/kernel/apparmor_restrict_unprivileged_userns": "1\n"})
	const setting = "/proc/sys/kernel/apparmor_restrict_unprivileged_userns"
	inside := fakeHost(t, map[string]string{setting: "1\n", "/proc/self/uid_map": "0 1000 1\n"})
	root := fakeHost(t, map[string]string{"/proc/self/uid_map": "0 0 4294967295\n"})
	nothing := fakeHost(t, nil)
	for _, c := range []struct {
		f       settings
		err     error
		hint    string
		notRoot bool
	}{
		{aa, syscall.EACCES, "kernel.apparmor_restrict_unprivileged_userns=0", true},
		{inside, syscall.EACCES, "kernel.apparmor_restrict_unprivileged_userns=0", false}, // where everybody is root
		{aa, syscall.EPERM, "apparmor_parser -r /etc/apparmor.d/xtoo", true},
		{fakeHost(t, map[string]string{"/sys/fs/selinux/enforce": "1"}), syscall.EACCES, "audit2allow", false},
		{root, syscall.EPERM, "seccomp=unconfined", false},
		{nothing, syscall.ENOSPC, "sysctl -w user.max_user_namespaces", false},
		{fakeHost(t, map[string]string{"/proc/sys/user/max_mnt_namespaces": "0\n"}), syscall.ENOSPC, "sysctl -w user.max_mnt_namespaces", false},
		{fakeHost(t, map[string]string{"/proc/sys/user/max_net_namespaces": "0\n"}), syscall.ENOSPC, "sysctl -w user.max_user_namespaces", false}, // not asked for
		{nothing, syscall.EPERM, "seccomp=unconfined", false},
		{nothing, syscall.EINVAL, "CONFIG_USER_NS", false},
	} {
		if c.notRoot && os.Geteuid() == 0 {
			continue
		}
		err := explainStart(c.f, fmt.Errorf("clone: %w", c.err), syscall.CLONE_NEWUSER|syscall.CLONE_NEWNS)
		if !errors.Is(err, ErrNoNamespaces) || !errors.Is(err, c.err) {
			t.Errorf("%v: %v", c.err, err)
		}
		contains(t, Hint(err), c.hint)
	}
	if err := explainStart(nothing, syscall.EAGAIN, 0); !strings.Contains(Hint(err), "ulimit -u") || !errors.Is(err, syscall.EAGAIN) || errors.Is(err, ErrNoNamespaces) {
		t.Errorf("no more processes: %v (%s)", err, Hint(err))
	}
	for errno, hint := range map[syscall.Errno]string{syscall.EDQUOT: "quota", syscall.EFBIG: "ulimit -f", syscall.EMFILE: "ulimit -n"} {
		contains(t, Failed("x", StateBad, fmt.Errorf("write: %w", errno)).Hint, hint)
	}
	if err := explainStart(nothing, syscall.ENOMEM, 0); Hint(err) != "" || !errors.Is(err, syscall.ENOMEM) {
		t.Errorf("ENOMEM was explained: %v", err)
	}
}

func TestProbeTier(t *testing.T) {
	t.Setenv(tierVar, "")
	h, err := Probe()
	if err != nil {
		testutil.SkipOrFail(t, "no user namespaces here: %v (%s)", err, Hint(err))
	}
	if h.Reason == "" || len(h.UIDs) == 0 || h.UIDs[0].ContainerID != 0 {
		t.Errorf("%+v", h)
	}
	t.Setenv(tierVar, "single")
	one, err := Probe()
	must(t, err)
	if one.Tier != TierSingle || countIDs(one.UIDs) != 1 || one.UIDs[0].HostID != uint32(os.Geteuid()) {
		t.Errorf("%+v", one)
	}
	t.Setenv(tierVar, "mapped")
	if _, err = Probe(); (err == nil) != (h.Tier == TierMapped) {
		t.Errorf("mapped where the tier is %s: %v", h.Tier, err)
	}
}

func TestSubordinateIDs(t *testing.T) {
	f := fakeHost(t, map[string]string{"/etc/subuid": "# comment\n\nroot:1:2\nann:100000:65536\n1001:500000:10\nann:700000:5\nanna:1:1\nbad\nann:9:0\n"})
	ranges, err := subordinateIDs(f.path("/etc/subuid"), "ann", 1001)
	must(t, err)
	m := behindOwn(1001, ranges)
	if got, want := fmt.Sprint(m), "[{0 1001 1} {1 100000 65536} {65537 500000 10} {65547 700000 5}]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := strings.Join(mapArgs(m[:2]), " "); got != "0 1001 1 1 100000 65536" {
		t.Errorf("arguments %q", got)
	}
	for id, in := range map[uint32]bool{0: true, 1: true, 65536: true, 65546: true, 65551: true, 65552: false, 1 << 31: false} {
		if hasID(m, id) != in {
			t.Errorf("id %d is in the map: %v", id, !in)
		}
	}
	for file, start := range map[string]int{"/etc/subuid": 700005, "/other/subuid": 100000} {
		_, err := subordinateIDs(f.path(file), "bob", 1002)
		var missing *missingError
		if !errors.As(err, &missing) {
			t.Fatalf("%s: %v", file, err)
		}
		contains(t, missing.hint, fmt.Sprintf("bob:%d:65536", start), fmt.Sprintf("usermod --add-subuids %d-%d --add-subgids %[1]d-%[2]d bob", start, start+65535))
	}
	if m := behindOwn(1, []user.SubID{{SubID: 1 << 40, Count: 5}, {SubID: -1, Count: 5}}); len(m) != 1 {
		t.Errorf("ids that cannot be: %v", m)
	}
}

func TestFirstOutside(t *testing.T) {
	own := []specs.LinuxIDMapping{{ContainerID: 0, HostID: 1000, Size: 1}, {ContainerID: 1, HostID: 100000, Size: 65536}}
	all := []specs.LinuxIDMapping{{ContainerID: 0, HostID: 0, Size: 1<<32 - 1}}
	for _, c := range []struct {
		own  []specs.LinuxIDMapping
		m    specs.LinuxIDMapping
		id   uint32
		none bool
	}{
		{all, specs.LinuxIDMapping{HostID: 100000, Size: 65536}, 0, true},
		{own, specs.LinuxIDMapping{HostID: 0, Size: 65537}, 0, true},
		{own, specs.LinuxIDMapping{HostID: 1, Size: 65537}, 65537, false},
		{own, specs.LinuxIDMapping{HostID: 100000, Size: 65536}, 100000, false},
		{all, specs.LinuxIDMapping{HostID: 1<<32 - 2, Size: 2}, 1<<32 - 1, false},
	} {
		if id, none := firstOutside(c.own, []specs.LinuxIDMapping{c.m}); id != c.id || none != c.none {
			t.Errorf("%v in %v: %d, %v", c.m, c.own, id, none)
		}
	}
}

func TestReadIDMap(t *testing.T) {
	f := fakeHost(t, map[string]string{"/full": "         0          0 4294967295\n", "/nested": "0 1000 1\n1 100000 65536\n", "/bad": "0 x 1\n", "/empty": ""})
	m, err := readIDMap(f.path("/full"))
	if err != nil || countIDs(m) != 4294967295 {
		t.Errorf("%v, %v", m, err)
	}
	m, err = readIDMap(f.path("/nested"))
	if err != nil || fmt.Sprint(identity(m)) != "[{0 0 1} {1 1 65536}]" {
		t.Errorf("%v, %v", m, err)
	}
	for _, bad := range []string{"/bad", "/empty", "/missing"} {
		if _, err := readIDMap(f.path(bad)); err == nil {
			t.Errorf("%s was read", bad)
		}
	}
}

func TestInside(t *testing.T) {
	h := &Host{Tier: TierMapped, UIDs: behindOwn(1000, []user.SubID{{SubID: 100000, Count: 65536}}), GIDs: singleID(7), Setgroups: true, newuidmap: "/x"}
	in := h.Inside()
	if fmt.Sprint(in.UIDs, in.GIDs) != "[{0 0 1} {1 1 65536}] [{0 0 1}]" || in.HelpedMaps() || !in.Setgroups || in.Tier != TierMapped {
		t.Errorf("%+v", in)
	}
	if !in.HasUID(65536) || in.HasUID(65537) || in.HasGID(1) || in.LastUID() != 65536 || in.CountUIDs() != 65537 || in.CountGIDs() != 1 {
		t.Errorf("%+v", in)
	}
	if h.RealRoot() || !in.RealRoot() {
		t.Error("id 0 is the user's own outside, and 0 inside")
	}
}

func TestDoctor(t *testing.T) {
	if got := kernelFinding("5.4.0-150-generic"); got.State != StateWarn || got.Hint == "" {
		t.Errorf("%+v", got)
	}
	program := filepath.Join(t.TempDir(), "newuidmap")
	must(t, os.WriteFile(program, nil, 0o755))
	if state, hint := privilegeOf(program); state != StateBad || !strings.Contains(hint, "setcap cap_setuid=ep "+program) {
		t.Errorf("%s, %s", state, hint)
	}
	dir := t.TempDir()
	near, err := NearestDir(filepath.Join(dir, "not/yet/there"))
	must(t, err)
	if near != dir {
		t.Errorf("the nearest directory is %s", near)
	}
	if _, err := NearestDir(filepath.Join(program, "store")); !errors.Is(err, syscall.ENOTDIR) {
		t.Errorf("a store in a file: %v", err)
	}
	if found := LockFindings(filepath.Join(dir, "store")); len(found) > 0 {
		t.Errorf("%+v", found)
	}
	locked := make(chan []Finding)
	go func() {
		runtime.LockOSThread() // and never unlocked: the filter is the thread's
		if err := testutil.RefuseCall(syscall.SYS_FLOCK, syscall.ENOSYS, false); err != nil {
			t.Error(err)
		}
		locked <- LockFindings(dir)
	}()
	without := <-locked
	if len(without) != 1 || without[0].State != StateWarn {
		t.Errorf("without locks: %+v", without)
	}
	for _, f := range append(append(StoreFindings(dir, dir), KernelFinding()), without...) {
		if f.Name == "" || f.Detail == "" || (f.State == StateOK) != (f.Hint == "") {
			t.Errorf("%+v", f)
		}
	}
}

var (
	must     = testutil.Must
	contains = testutil.Contains
)

func TestAtLeast(t *testing.T) {
	for release, want := range map[string]bool{
		"5.11.0": true, "5.10.251-generic": false, "6.0-rc1": true, "4.18.0-372.el8": false, "5.11-arch1": true, "": false, "x.y": false, "10.2": true,
	} {
		if got := AtLeast(release, 5, 11); got != want {
			t.Errorf("%s: %v", release, got)
		}
	}
}
