package chroot

import (
	"errors"
	"fmt"
	"runtime"
	"syscall"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"xtoo/chroot/host"
)

// launch starts the process of a node and returns its id. It is done on a thread that is used for nothing else and
// ends with the launch: what is set on that thread alone (capabilities, personality, no_new_privs, the keyring, the filter of
// calls) is inherited by the process and by nothing else of init.
func launch(a *nodeArgs, std *standard, answers *answers) (int, error) {
	s := a.Spec
	program, err := findInPath(s.Process)
	if err != nil {
		return 0, err
	}
	if err := setLimits(s.Process); err != nil {
		return 0, err
	}
	ambient, err := ambientCaps(s.Process.Capabilities)
	if err != nil {
		return 0, err
	}
	attr := &syscall.ProcAttr{
		Dir: s.Process.Cwd, Env: s.Process.Env,
		Files: std.descriptors(),
		Sys:   namespacesOf(s.Process, a.Ids),
	}
	attr.Sys.AmbientCaps = ambient
	attr.Sys.Setctty = std.master != nil // the terminal is file 0
	if attr.Env == nil {
		attr.Env = []string{} // nil would mean ours
	}
	kernel, begun, err := answers.become(s.Process.User)
	if err != nil {
		return 0, err
	}
	attr.Sys.Credential = kernel
	type started struct {
		pid int
		err error
	}
	result := make(chan started)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends
		err := prepareThread(s, a.Network)
		if err == nil {
			err = answers.begin()
		}
		// Root without the groups that nobody can give it is root all the same.
		if err == nil && kernel == nil && answers.why != nil && s.Process.User.UID|s.Process.User.GID != 0 {
			err = fmt.Errorf("run as user %d with one id: %w", s.Process.User.UID, answers.why)
		}
		if err != nil {
			result <- started{err: err}
			return
		}
		pid, err := syscall.ForkExec(program, s.Process.Args, attr)
		if err != nil {
			err = explainLaunch(program, err)
		}
		result <- started{pid, err}
	}()
	r := <-result
	if err := errors.Join(r.err, begun()); err != nil {
		return 0, err
	}
	return r.pid, nil
}

// payloadKinds are the namespaces of the process beside user and mount namespaces.
const payloadKinds = unix.CLONE_NEWUTS

// namespacesOf says in which namespaces the process gets: user, mount and uts namespaces of its own below init's, with the same
// ids. What init has mounted is then out of its reach (mount_namespaces(7): the mounts and their flags are locked), and so is
// init itself, over which it has no capability. A process whose capabilities are bounded stays in init's: a new user
// namespace would give it all of them.
func namespacesOf(p *specs.Process, ids *host.Host) *syscall.SysProcAttr {
	if p.Capabilities != nil {
		return &syscall.SysProcAttr{Setsid: true}
	}
	attr := ids.Attributes(payloadKinds)
	attr.Pdeathsig = 0 // it would come when the thread ends
	return attr
}

// usualSlack is the timer slack of a process that never set it, in nanoseconds (prctl(2)).
const usualSlack = 50_000

// prepareThread sets what the process inherits from the thread that starts it.
func prepareThread(s *specs.Spec, network Network) error {
	if err := unix.Prctl(unix.PR_SET_TIMERSLACK, usualSlack, 0, 0, 0); err != nil { // package stage has changed it for us
		return fmt.Errorf("set the timer slack: %w", err)
	}
	if err := errors.Join(resetThread(), newKeyring()); err != nil {
		return err
	}
	if network == NetworkHost {
		if err := closeAbstract(); err != nil {
			return err
		}
	}
	if s.Linux != nil && s.Linux.Personality != nil {
		p, err := personality(s.Linux.Personality)
		if err != nil {
			return err
		}
		if err := setPersonality(p); err != nil {
			return err
		}
	}
	if s.Process.NoNewPrivileges {
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			return fmt.Errorf("set no_new_privs: %w", err)
		}
	}
	return limitThread(s.Process.Capabilities)
}

// newKeyring gives this thread a session keyring with nothing in it, in place of the caller's.
func newKeyring() error {
	_, err := unix.KeyctlInt(unix.KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0, 0)
	if err == nil || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) {
		return nil // without keyrings, or where a filter forbids the call, the process has none either
	}
	return fmt.Errorf("join a new session keyring: %w", err)
}

// setPersonality sets the execution domain of this thread, which what it starts inherits.
func setPersonality(p uintptr) error {
	if _, _, errno := unix.RawSyscall(unix.SYS_PERSONALITY, p, 0, 0); errno != 0 {
		return fmt.Errorf("set the personality %#x: %w", p, errno)
	}
	return nil
}

// credential is nil for user 0, who is what init is already, without any supplementary groups where those can be dropped.
func credential(u specs.User) *syscall.Credential {
	if u.UID == 0 && u.GID == 0 && len(u.AdditionalGids) == 0 {
		return nil
	}
	return &syscall.Credential{Uid: u.UID, Gid: u.GID, Groups: u.AdditionalGids, NoSetGroups: len(u.AdditionalGids) == 0}
}
