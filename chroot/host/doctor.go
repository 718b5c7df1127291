package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// A State says how a finding is.
type State string

// The states.
const (
	StateOK   State = "ok"
	StateWarn State = "warn" // builds, but slower or with less
	StateBad  State = "bad"  // does not build, or not everything
)

// A Finding is one thing that was tried on a host.
type Finding struct {
	Name   string // "kernel", "user namespaces", "ids", …
	State  State
	Detail string // what was found
	Hint   string // what would mend or raise it; empty when State is ok
}

// lowSpace is how much free space is little: a full stage3, unpacked and compressed, and a node or two.
const lowSpace = 4 << 30

// LastUID is the highest id of the map, to see whether the whole of it works.
func (h *Host) LastUID() uint32 {
	last := h.UIDs[len(h.UIDs)-1]
	id := last.ContainerID + last.Size - 1
	if id >= 1<<31 {
		id = 65534 // tools trip over the highest ids, not the kernel
	}
	return id
}

// Failed is the finding for an error.
func Failed(name string, state State, err error) Finding {
	return Finding{Name: name, State: state, Detail: err.Error(), Hint: Hint(err)}
}

// KernelFinding is about the release of the running kernel.
func KernelFinding() Finding { return kernelFinding(KernelRelease()) }

func kernelFinding(release string) Finding {
	if AtLeast(release, 5, 11) {
		return Finding{Name: "kernel", State: StateOK, Detail: "Linux " + release}
	}
	return Finding{
		Name: "kernel", State: StateWarn, Detail: "Linux " + release,
		Hint: "overlayfs in user namespaces needs Linux 5.11 or later, where the distribution has not added it: what is said of overlayfs counts",
	}
}

// Switches words the settings of this host that concern user namespaces.
func Switches() string { return switches(settings{}) }

func switches(f settings) string {
	var all []string
	for _, s := range switchesOff() {
		if v := f.value("/proc/sys/" + s.file); v != "" {
			all = append(all, s.name()+" = "+v)
		}
	}
	return strings.Join(all, ", ")
}

// Findings say which tier there is, and why not the other.
func (h *Host) Findings() []Finding {
	one := Finding{Name: "ids", State: StateOK, Detail: fmt.Sprintf("%s tier: %s", h.Tier, h.Reason), Hint: h.Hint}
	if h.Tier == TierSingle {
		one.Hint = ""
		one.Detail += "; owners that scripts give to files are recorded, if \"records\" says so"
	} else if n := countIDs(h.UIDs); n < 65536 {
		one.State = StateWarn
		one.Hint = fmt.Sprintf("only %d ids: give this user a range of 65536 in /etc/subuid and /etc/subgid, so that nobody (65534) exists in images", n)
	}
	found := []Finding{one}
	for _, program := range []string{h.newuidmap, h.newgidmap} {
		if program == "" {
			continue
		}
		state, hint := privilegeOf(program)
		detail := program + " has the privilege to write maps"
		if state != StateOK {
			detail = program + " has no privilege to write maps"
		}
		found = append(found, Finding{Name: filepath.Base(program), State: state, Detail: detail, Hint: hint})
	}
	return found
}

// privilegeOf says whether a program is set-uid root, or has a file capability, and what to do if not.
func privilegeOf(program string) (State, string) {
	capability := map[string]string{"newuidmap": "cap_setuid", "newgidmap": "cap_setgid"}[filepath.Base(program)]
	hint := fmt.Sprintf("as root: setcap %s=ep %s (or: chmod u+s %[2]s)", capability, program)
	var st unix.Stat_t
	if err := unix.Stat(program, &st); err != nil {
		return StateBad, err.Error()
	}
	size, err := unix.Getxattr(program, "security.capability", nil)
	setuid := st.Mode&unix.S_ISUID != 0 && st.Uid == 0
	if !setuid && (err != nil || size == 0) {
		return StateBad, hint
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(program, &fs); err == nil && fs.Flags&unix.ST_NOSUID != 0 {
		return StateBad, program + " is on a file system mounted with nosuid: mount it without"
	}
	return StateOK, ""
}

// StoreFindings look at the file system of the store from outside. dir is NearestDir of storeDir.
func StoreFindings(dir, storeDir string) []Finding {
	name := FilesystemName(dir)
	kind := Finding{Name: "store", State: StateOK, Detail: storeDir + " is on " + name}
	if isNetwork(name) {
		kind.State = StateWarn
		kind.Hint = "layers cannot be stacked on most network file systems: set XTOO_SCRATCH to a directory on a local disk"
	}
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return []Finding{kind, Failed("free space", StateBad, err)}
	}
	if st.Blocks == 0 {
		return []Finding{kind} // a file system without an end
	}
	free := st.Bavail * uint64(st.Bsize)
	space := Finding{Name: "free space", State: StateOK, Detail: fmt.Sprintf("%.1f GiB, %d inodes", float64(free)/(1<<30), st.Ffree)}
	if free < lowSpace {
		space.State = StateWarn
		space.Hint = fmt.Sprintf("a stage3 needs about %d GiB: make room, run `xtoo clean`, or set XTOO_STORE to a directory on a larger disk", lowSpace>>30)
	}
	return []Finding{kind, space}
}

// LockFindings say when the file system of a store has no locks, by locking a file there for a moment.
func LockFindings(storeDir string) []Finding {
	near, err := NearestDir(storeDir)
	if err != nil {
		return nil // others say so
	}
	f, err := os.CreateTemp(near, ".xtoo-doctor-")
	if err != nil {
		return nil
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if closeErr := errors.Join(f.Close(), os.Remove(f.Name())); err == nil || closeErr != nil {
		return nil
	}
	return []Finding{{
		Name: "locks", State: StateWarn, Detail: fmt.Sprintf("%s is on %s, which has none here: %v", storeDir, FilesystemName(near), err),
		Hint: "build and clean in this store on one machine at a time; the mount options flock (Lustre) or the lock daemon (NFS) would mend it",
	}}
}

// NearestDir is the directory, or the nearest one above it that exists.
func NearestDir(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	for {
		info, err := os.Stat(dir)
		if err == nil && info.IsDir() {
			return dir, nil
		}
		if err == nil {
			return "", fmt.Errorf("%s: %w", dir, unix.ENOTDIR)
		}
		if !errors.Is(err, fs.ErrNotExist) || dir == "/" {
			return "", err
		}
		dir = filepath.Dir(dir)
	}
}
