package tree

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"xtoo/internal/testutil"
)

// tiers are the user namespaces that the tests run in: every id mapped, and only one.
var tiers = []string{"mapped", "single"}

// tierVar tells a test that it runs inside, and in which of them.
const tierVar = "XTOO_TEST_TIER"

// inside runs the calling test again in a user and mount namespace of its own and returns true there. It
// returns false outside, when that run has ended: the caller returns.
func inside(t *testing.T, tier string) bool {
	t.Helper()
	if os.Getenv(tierVar) == tier {
		return true
	}
	var pattern []string
	for part := range strings.SplitSeq(t.Name(), "/") {
		pattern = append(pattern, "^"+regexp.QuoteMeta(part)+"$")
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	args := []string{exe, "-test.run=" + strings.Join(pattern, "/"), "-test.v", "-test.timeout=5m"}
	cmd := namespaceCommand(t, tier, args)
	cmd.Env = append(os.Environ(), tierVar+"="+tier)
	out, err := cmd.CombinedOutput()
	switch {
	case err != nil && !bytes.Contains(out, []byte("--- ")):
		testutil.SkipOrFail(t, "no user namespace of the tier %s: %v\n%s", tier, err, out)
	case err != nil:
		t.Errorf("in the tier %s: %v\n%s", tier, err, out)
	case bytes.Contains(out, []byte("--- SKIP: "+t.Name())):
		testutil.SkipOrFail(t, "in the tier %s:\n%s", tier, out)
	case !bytes.Contains(out, []byte("--- PASS: "+t.Name())):
		t.Errorf("it did not run in the tier %s:\n%s", tier, out)
	case testing.Verbose():
		t.Logf("%s", out)
	}
	return false
}

func namespaceCommand(t *testing.T, tier string, args []string) *exec.Cmd {
	t.Helper()
	if tier == "mapped" && os.Geteuid() != 0 {
		if !hasRange(t) {
			t.Skip("this user has no range of ids in /etc/subuid")
		}
		testutil.Need(t, "unshare", "newuidmap")
		all := append([]string{"--user", "--mount", "--map-root-user", "--map-auto", "--"}, args...)
		return exec.Command("unshare", all...)
	}
	size := 1
	if tier == "mapped" {
		size = math.MaxInt32 // the most that an int holds everywhere
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:                 syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings:                []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: size}},
		GidMappings:                []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: size}},
		GidMappingsEnableSetgroups: tier == "mapped",
	}
	return cmd
}

// hasRange reports whether /etc/subuid gives this user ids. Whoever has none tests the other tier only.
func hasRange(t *testing.T) bool {
	t.Helper()
	data, err := os.ReadFile("/etc/subuid")
	if errors.Is(err, os.ErrNotExist) {
		return false
	}
	if err != nil {
		t.Fatal(err)
	}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		if name, _, _ := strings.Cut(line, ":"); name == me.Username || name == me.Uid {
			return true
		}
	}
	return false
}

// inOneTier runs a test in the tier that every user has, where it would be the same in the other.
func inOneTier(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	t.Run("single", func(t *testing.T) {
		if inside(t, "single") {
			test(t)
		}
	})
}

// inTiers runs a test in every tier.
func inTiers(t *testing.T, test func(t *testing.T, tier string)) {
	t.Helper()
	for _, tier := range tiers {
		t.Run(tier, func(t *testing.T) {
			if inside(t, tier) {
				test(t, tier)
			}
		})
	}
}

// newDir makes a directory that the test removes.
func newDir(t testing.TB, name string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := RemoveAll(context.Background(), dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

var (
	day0 = testutil.Day // the time of members that have none
	day1 = day0.Add(24*time.Hour + 123456789)
)

// unpackTo unpacks an archive to a new directory.
func unpackTo(t testing.TB, name string, data []byte, lowers ...string) (string, UnpackResult) {
	t.Helper()
	dir := newDir(t, name)
	res, err := Unpack(context.Background(), bytes.NewReader(data), dir, UnpackOptions{Lowers: lowers})
	if err != nil {
		t.Fatalf("unpack %s: %v", name, err)
	}
	return dir, res
}

// list describes the members of an archive, a line a member.
func list(t testing.TB, data []byte) []string {
	t.Helper()
	var lines []string
	for _, hdr := range testutil.ReadTar(t, data) {
		line := fmt.Sprintf("%c %s %o %d:%d %s", hdr.Typeflag, hdr.Name, hdr.Mode, hdr.Uid, hdr.Gid, hdr.ModTime.UTC().Format(time.RFC3339Nano))
		if hdr.Linkname != "" {
			line += " -> " + hdr.Linkname
		}
		if hdr.Typeflag == tar.TypeChar || hdr.Typeflag == tar.TypeBlock {
			line += fmt.Sprintf(" %d:%d", hdr.Devmajor, hdr.Devminor)
		}
		if len(hdr.Data) > 0 {
			line += fmt.Sprintf(" %q", hdr.Data[:min(len(hdr.Data), 40)])
		}
		for _, key := range slices.Sorted(maps.Keys(hdr.PAXRecords)) {
			if strings.HasPrefix(key, "SCHILY.") {
				line += fmt.Sprintf(" %s=%q", key, hdr.PAXRecords[key])
			}
		}
		lines = append(lines, line)
	}
	return lines
}

// An overlay is a mount over layer directories, and what a build step does with it.
type overlay struct {
	merged, upper, work string
	lowers              []string
}

// mountOverlay mounts an overlay with a new upper directory.
func mountOverlay(t *testing.T, lowers ...string) *overlay {
	t.Helper()
	o := &overlay{merged: newDir(t, "merged"), upper: newDir(t, "upper"), work: newDir(t, "work"), lowers: lowers}
	if err := PrepareUpper(o.upper, lowers); err != nil {
		t.Fatal(err)
	}
	o.mount(t)
	return o
}

func (o *overlay) mount(t *testing.T) {
	t.Helper()
	options := fmt.Sprintf("userxattr,lowerdir=%s,upperdir=%s,workdir=%s", strings.Join(o.lowers, ":"), o.upper, o.work)
	if err := unix.Mount("overlay", o.merged, "overlay", 0, options); err != nil {
		testutil.SkipOrFail(t, "mount an overlay in a user namespace: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(o.merged, unix.MNT_DETACH) }) // it may be unmounted already
}

func (o *overlay) unmount(t *testing.T) {
	t.Helper()
	if err := unix.Unmount(o.merged, 0); err != nil {
		t.Fatal(err)
	}
}

// run runs a shell script with the merged directory as its working directory.
func (o *overlay) run(t *testing.T, script string) {
	t.Helper()
	for _, program := range []string{"chgrp", "chown", "dd", "mkfifo", "setfattr", "truncate"} { // the basic utilities are taken for granted
		if regexp.MustCompile(`\b` + program + ` `).MatchString(script) {
			testutil.Need(t, program)
		}
	}
	cmd := exec.Command("/bin/sh", "-ec", "umask 022\n"+script)
	cmd.Dir = o.merged
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C"}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s\n%s", err, script, out)
	}
}
