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
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"xtoo/chroot/host"
)

// refusedVar makes the test binary a doctor on a machine that refuses a system call: its number and that of the error. What the
// doctor found is printed as JSON.
const refusedVar = "XTOO_TEST_REFUSED"

// diagnoseRefused is that doctor.
func diagnoseRefused(what string) {
	nr, errno, _ := strings.Cut(what, ":")
	err := refuseCall(nr, errno)
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

// refuseCall has the kernel answer a call of this machine's own kind with an error, in this process and all that it starts, as the
// filters of containers do.
func refuseCall(nr, errno string) error {
	number, err := strconv.ParseUint(nr, 10, 32)
	if err != nil {
		return err
	}
	answer, err := strconv.ParseUint(errno, 10, 12)
	if err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	const call, argument = 0, 16 // in struct seccomp_data
	load := func(at uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: at}
	}
	filter := []unix.SockFilter{load(call), {Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 1, K: uint32(number)}}
	if number == unix.SYS_CLONE { // threads are made with it, too
		filter[1].Jf = 3
		filter = append(filter, load(argument), unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K, Jf: 1, K: unix.CLONE_NEWUSER})
	}
	filter = append(filter, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(answer)},
		unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW})
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	_, _, failed := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&program)))
	if failed != 0 {
		return failed
	}
	return nil
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
		"sethostname":   {unix.SYS_SETHOSTNAME, unix.EPERM, "script", "seccomp=unconfined"},
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
