package chroot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"xtoo/chroot/host"
	"xtoo/internal/testutil"
)

// refusedVar makes the test binary a doctor on a machine that refuses a system call: its number and that of the error. What the
// doctor found is printed as JSON.
const refusedVar = "XTOO_TEST_REFUSED"

// diagnoseRefused is that doctor.
func diagnoseRefused(what string) {
	nr, errno, _ := strings.Cut(what, ":")
	number, err := strconv.ParseUint(nr, 10, 32)
	answer, answerErr := strconv.ParseUint(errno, 10, 12)
	if err = errors.Join(err, answerErr); err == nil {
		err = testutil.RefuseCall(uintptr(number), syscall.Errno(answer), true)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	dir, err := os.MkdirTemp("", "xtoo-refused-")
	if err == nil {
		h, _ := Probe() // Diagnose says what became of it
		err = errors.Join(json.NewEncoder(os.Stdout).Encode(Diagnose(context.Background(), h, dir, nil)), os.RemoveAll(dir))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// TestDiagnoseRefused: whatever a security policy refuses, the doctor names it, and says what to do.
func TestDiagnoseRefused(t *testing.T) {
	probed(t)
	for name, c := range map[string]struct {
		nr    uintptr
		errno unix.Errno
		found string // the name of what is bad, or not as it should be; empty: nothing is
		hint  string
	}{
		"mount":         {unix.SYS_MOUNT, unix.EPERM, "user namespaces", "seccomp=unconfined"},
		"lsm":           {unix.SYS_MOUNT, unix.EACCES, "user namespaces", "seccomp=unconfined"}, // capabilities denied inside, as AppArmor does
		"pivot_root":    {unix.SYS_PIVOT_ROOT, unix.EPERM, "root", "seccomp=unconfined"},
		"initramfs":     {unix.SYS_PIVOT_ROOT, unix.EINVAL, "root", "switch_root"},
		"clone":         {unix.SYS_CLONE, unix.EPERM, "user namespaces", "seccomp=unconfined"},
		"unshare":       {unix.SYS_UNSHARE, unix.EPERM, nameRecords, "seccomp=unconfined"},
		"clone3":        {unix.SYS_CLONE3, unix.ENOSYS, "", ""}, // EPERM would keep a C library from making threads: under the race detector
		"open_tree":     {unix.SYS_OPEN_TREE, unix.EPERM, "", ""},
		"mount_setattr": {unix.SYS_MOUNT_SETATTR, unix.ENOSYS, "", ""},
		"setattr":       {unix.SYS_MOUNT_SETATTR, unix.EPERM, "", ""},
		"seccomp":       {unix.SYS_SECCOMP, unix.EPERM, nameRecords, "seccomp=unconfined"},
		"readv":         {unix.SYS_PROCESS_VM_READV, unix.EPERM, nameRecords, "process_vm_readv"},
		"setns":         {unix.SYS_SETNS, unix.EPERM, nameRecords, "seccomp=unconfined"},
		"statx":         {unix.SYS_STATX, unix.ENOSYS, nameRecords, "Linux 5.8"},
		"affinity":      {unix.SYS_SCHED_SETAFFINITY, unix.EPERM, "", ""},
		"personality":   {unix.SYS_PERSONALITY, unix.EPERM, "", ""},
		"prlimit":       {unix.SYS_PRLIMIT64, unix.EPERM, "script", "seccomp=unconfined"},
		"sethostname":   {unix.SYS_SETHOSTNAME, unix.EPERM, "host name", "seccomp=unconfined"},
		"openat2":       {unix.SYS_OPENAT2, unix.ENOSYS, "", ""},
		"pidfd_open":    {unix.SYS_PIDFD_OPEN, unix.EPERM, "", ""},
		"close_range":   {unix.SYS_CLOSE_RANGE, unix.ENOSYS, "", ""},
		"keyctl":        {unix.SYS_KEYCTL, unix.EPERM, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), "/proc/self/exe")
			cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d:%d", refusedVar, c.nr, int(c.errno)), "TMPDIR="+t.TempDir())
			said, err := cmd.Output()
			var found []host.Finding
			if err == nil {
				err = json.Unmarshal(said, &found)
			}
			if err != nil {
				t.Fatalf("%v: %s", err, said)
			}
			var bad []string
			for _, f := range found {
				if f.State == host.StateBad || f.Name == c.found && f.State != host.StateOK {
					bad = append(bad, f.Name+": "+f.Detail+": "+f.Hint)
				}
			}
			switch {
			case c.found == "" && len(bad) > 0:
				t.Errorf("%q", bad)
			case c.found != "" && (len(bad) == 0 || !strings.HasPrefix(bad[0], c.found+": ")):
				t.Errorf("found %q", bad)
			case c.found != "":
				contains(t, bad[0], c.hint)
			}
		})
	}
}
