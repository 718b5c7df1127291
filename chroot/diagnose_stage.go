package chroot

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"xtoo/chroot/host"
	"xtoo/chroot/stage"
)

// diagnoseArgs say what the diagnosing stage tries.
type diagnoseArgs struct {
	Dir      string // try mounts and files here; "": none
	Groups   bool   // supplementary groups must be gone
	LastUID  uint32 // the highest id of the map
	Loopback bool   // prepare a network namespace as a node's
}

// nameRecords is the name of the finding about what is answered in place of the kernel.
const nameRecords = "records"

// diagnoseInside is the stage of Diagnose: it does what a build does, on almost nothing.
func diagnoseInside(_ context.Context, s *stage.Stage) error {
	var a diagnoseArgs
	if err := s.Args(&a); err != nil {
		return err
	}
	if os.Getuid() != 0 || os.Getgid() != 0 {
		return fmt.Errorf("%w: id %d:%d in the namespace, not 0:0", host.ErrNoNamespaces, os.Getuid(), os.Getgid())
	}
	if a.Loopback {
		return errors.Join(upLoopback(), openPorts())
	}
	if a.Dir == "" {
		return nil
	}
	dir, err := os.MkdirTemp(a.Dir, ".xtoo-doctor-")
	if err != nil {
		return s.Result([]host.Finding{{
			Name: "store writable", State: host.StateBad, Detail: err.Error(),
			Hint: "set XTOO_STORE to a directory that this user can write to",
		}})
	}
	found := []host.Finding{
		tried("owners", host.StateBad, fmt.Sprintf("a file can be given to user %d", a.LastUID), tryChown(dir, a.LastUID)),
		rootsFinding(dir),
		tried("/proc", host.StateBad, "a fresh one can be mounted", tryMount(dir, "proc")),
		tried(nameRecords, host.StateWarn, "what the kernel refuses to scripts is recorded (docs/one-id.md)", tryAnswers()),
		tried("host name", host.StateBad, "a script has one of its own", setNames(&specs.Spec{})),
		tried("root", host.StateBad, "it can be changed for a script's", tryPivot(dir)),
		tried("/dev", host.StateBad, "the devices that scripts need are there", tryDevices()),
	}
	return errors.Join(s.Result(found), os.RemoveAll(dir))
}

// tried words the outcome of a trial.
func tried(name string, state host.State, success string, err error) host.Finding {
	if err != nil {
		return host.Failed(name, state, err)
	}
	return host.Finding{Name: name, State: host.StateOK, Detail: success}
}

// tryChown gives a file to the highest id of the map.
func tryChown(dir string, uid uint32) error {
	p := filepath.Join(dir, "file")
	if err := os.WriteFile(p, nil, 0o600); err != nil {
		return err
	}
	if err := os.Chown(p, int(uid), -1); err != nil {
		return &host.Error{Err: err, Hint: "the file system of the store does not hold owners, or does not know this user's ids (NFS, a FUSE mount): keep the store on a local disk"}
	}
	return nil
}

// tryOverlay mounts an overlay and does to it what needs the most of it: an opaque directory and a whiteout.
func tryOverlay(dir string) error {
	for _, d := range []string{"lower/d/e", "upper", "work"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return err
		}
	}
	fds, err := openPath("/proc/self/fd", unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	at := func(p string) string { return filepath.Join(dir, p) }
	err = mountOverlay(fds, []string{at("lower")}, at("upper"), at("work"), at("upper"))
	if err = errors.Join(err, fds.Close()); err != nil {
		return err
	}
	// The mount stands above what this path led to, so it has to be looked up anew.
	err = os.RemoveAll(at("upper/d"))
	if err == nil {
		err = os.Mkdir(at("upper/d"), 0o755)
	}
	if err == nil {
		err = os.RemoveAll(at("upper/d"))
	}
	if err != nil {
		err = &host.Error{Err: fmt.Errorf("%w: remove and make a directory in it: %w", ErrNoOverlay, err), Hint: "keep the store on a local file system such as ext4, xfs or btrfs"}
	}
	return errors.Join(err, unix.Unmount(at("upper"), unix.MNT_DETACH))
}

// tryMount mounts a file system that needs nothing but the namespaces.
func tryMount(dir, kind string) error {
	at := filepath.Join(dir, "mnt")
	if err := os.MkdirAll(at, 0o755); err != nil {
		return err
	}
	if err := unix.Mount(kind, at, kind, noAll, ""); err != nil {
		return explainProc(&mountError{kind: kind, at: at, err: err})
	}
	return unix.Unmount(at, unix.MNT_DETACH)
}

// tryPivot changes the root of a mount namespace of its own, for a thread that ends with the trial. Where that alone is
// refused, nothing is tried: nodes come by their namespaces in another way.
func tryPivot(dir string) error {
	at := filepath.Join(dir, "root")
	if err := os.Mkdir(at, 0o755); err != nil {
		return err
	}
	result := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends
		if unix.Unshare(unix.CLONE_NEWNS) != nil {
			result <- nil
			return
		}
		err := unix.Mount("tmpfs", at, "tmpfs", noAll, "mode=0755")
		if err == nil {
			err = unix.Chdir(at)
		}
		if err == nil {
			err = unix.PivotRoot(".", ".")
		}
		if err != nil {
			err = explainPivot(fmt.Errorf("change the root: %w", err))
		}
		result <- err
	}()
	return <-result
}

// tryDevices opens what is bound into every /dev.
func tryDevices() error {
	for _, name := range deviceNames() {
		var st unix.Stat_t
		if err := unix.Stat("/dev/"+name, &st); err != nil {
			return &host.Error{Err: &os.PathError{Op: "stat", Path: "/dev/" + name, Err: err}, Hint: "the host's own /dev lacks it: a container must be started with a usual /dev"}
		}
		if st.Mode&unix.S_IFMT != unix.S_IFCHR {
			return &host.Error{Err: fmt.Errorf("/dev/%s is no device", name), Hint: "as root, remove it and make it anew, or reboot"}
		}
	}
	return nil
}
