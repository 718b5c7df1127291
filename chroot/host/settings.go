package host

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// settings reads the small files in which a host says what it allows; root is "" but in tests.
type settings struct{ root string }

func (f settings) path(p string) string { return filepath.Join(f.root, p) }

// value reads a file of one line; "" when there is none.
func (f settings) value(p string) string {
	data, err := os.ReadFile(f.path(p))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
}

// A switchOff is a setting with which hosts forbid user namespaces.
type switchOff struct {
	file string // below /proc/sys
	off  string // its value when it forbids
	hint string
	root bool // root is forbidden too
}

func switchesOff() []switchOff {
	return []switchOff{
		{"user/max_user_namespaces", "0", persist("user.max_user_namespaces", "15000"), true},
		// Root may make a namespace, but none below it, and each node has one there.
		{"kernel/unprivileged_userns_clone", "0", persist("kernel.unprivileged_userns_clone", "1"), true},
		{"kernel/apparmor_restrict_unprivileged_userns", "1",
			persist("kernel.apparmor_restrict_unprivileged_userns", "0") + "\n" + appArmorProfile(), false},
	}
}

// persist words how to set a sysctl now and for good.
func persist(name, value string) string {
	return fmt.Sprintf("as root: sysctl -w %s=%s, and to keep it: echo '%[1]s = %[2]s' > /etc/sysctl.d/90-xtoo.conf", name, value)
}

// appArmorProfile words how to allow user namespaces to this program alone (as apparmor.d(5) of Ubuntu's packages do it).
func appArmorProfile() string {
	program, err := os.Executable()
	if err != nil {
		program = "/usr/bin/xtoo"
	}
	return fmt.Sprintf(`or, for this program alone, as root: printf 'abi <abi/4.0>,\ninclude <tunables/global>\nprofile xtoo "%s" flags=(unconfined) {\n  userns,\n}\n' `+
		"> /etc/apparmor.d/xtoo && apparmor_parser -r /etc/apparmor.d/xtoo", program)
}

// name is the name of a setting as sysctl(8) has it.
func (s switchOff) name() string { return strings.ReplaceAll(s.file, "/", ".") }

// namespacesOff returns the error for a host that certainly forbids user namespaces. The AppArmor setting does
// not certainly forbid them (a profile may allow this program): it only explains a failure.
func namespacesOff(f settings) error {
	if _, err := os.Stat(f.path("/proc/self")); err != nil {
		return &Error{
			Err:  fmt.Errorf("%w: /proc is not mounted", ErrNoNamespaces),
			Hint: "as root: mount -t proc proc /proc",
		}
	}
	if _, err := os.Lstat(f.path("/proc/self/ns/user")); err != nil {
		return &Error{
			Err:  fmt.Errorf("%w: this kernel was built without them", ErrNoNamespaces),
			Hint: "use a kernel built with CONFIG_USER_NS=y",
		}
	}
	for _, s := range switchesOff()[:2] {
		if f.value("/proc/sys/"+s.file) == s.off && (s.root || os.Geteuid() != 0) {
			return &Error{Err: fmt.Errorf("%w: %s = %s", ErrNoNamespaces, s.name(), s.off), Hint: s.hint}
		}
	}
	return nil
}

// isInside says whether this process is in a user namespace, where ordinary users are root, too.
func (f settings) isInside() bool {
	m, err := readIDMap(f.path("/proc/self/uid_map"))
	return err == nil && countIDs(m) < math.MaxUint32
}

// ExplainStart turns the error with which the kernel refused namespaces of some kinds (CLONE_NEW*) into an [Error] that
// names the setting, as far as one is to blame. It does the same for a limit of processes that was reached.
func ExplainStart(err error, kinds uintptr) error { return explainStart(settings{}, err, kinds) }

// explainStart turns the error with which a namespace was refused into one that names the setting.
func explainStart(f settings, err error, kinds uintptr) error {
	if errors.Is(err, syscall.EAGAIN) {
		return &Error{Err: err, Hint: "this user has as many processes and threads as the limit allows: raise it (`ulimit -u`, " +
			"/etc/security/limits.conf, TasksMax= of a systemd unit, pids.max of a container), or end some"}
	}
	if !errors.Is(err, syscall.EPERM) && !errors.Is(err, syscall.EACCES) && !errors.Is(err, syscall.ENOSPC) &&
		!errors.Is(err, syscall.EUSERS) && !errors.Is(err, syscall.EINVAL) {
		return err
	}
	wrapped := fmt.Errorf("%w: %w", ErrNoNamespaces, err)
	for _, s := range switchesOff() {
		if f.value("/proc/sys/"+s.file) == s.off && (s.root || os.Geteuid() != 0 || f.isInside()) {
			return &Error{Err: fmt.Errorf("%w (%s = %s)", wrapped, s.name(), s.off), Hint: s.hint}
		}
	}
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EUSERS):
		return &Error{Err: wrapped, Hint: f.limitHint(kinds)}
	case errors.Is(err, syscall.EINVAL):
		return &Error{Err: wrapped, Hint: "use a kernel built with CONFIG_USER_NS, CONFIG_PID_NS, CONFIG_NET_NS, CONFIG_IPC_NS and CONFIG_UTS_NS"}
	}
	if f.value("/sys/fs/selinux/enforce") == "1" {
		return &Error{Err: wrapped, Hint: "a security policy forbids it, and SELinux is enforcing: as root, `ausearch -m avc -ts recent` shows what it has denied, " +
			"and `ausearch -m avc -ts recent | audit2allow -M xtoo && semodule -i xtoo.pp` allows it; " +
			"inside a container, start that with `--security-opt label=disable --security-opt seccomp=unconfined`"}
	}
	return &Error{Err: wrapped, Hint: "a security policy forbids it (seccomp or AppArmor of a container, SELinux, or a chroot): " +
		"inside a container, start that with `--security-opt seccomp=unconfined --security-opt apparmor=unconfined`, or with `--privileged`; " +
		"in a chroot, use pivot_root or a mount namespace instead"}
}
