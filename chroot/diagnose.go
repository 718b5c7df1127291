package chroot

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// stageDiagnose is the stage of Diagnose.
const stageDiagnose = "chroot.diagnose"

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

// Diagnose tries what a build needs, for real, in the order in which a build needs it. storeDir is where the store
// is or will be; directories made in it for the trial are removed again. h is what Probe returned, and may be nil
// when that failed. It takes some tenths of a second.
// emulators are as for [Host.Emulate].
func Diagnose(ctx context.Context, h *Host, storeDir string, emulators []string) []Finding {
	f := hostFiles{}
	findings := []Finding{kernelFinding(kernelRelease())}
	if h == nil {
		var err error
		if h, err = Probe(); err != nil {
			return append(findings, failed("user namespaces", StateBad, err))
		}
	}
	dir, err := nearestDir(storeDir)
	if err != nil {
		return append(findings, failed("store", StateBad, err))
	}
	findings = append(findings, trial(ctx, h, "user namespaces", switches(f), diagnoseArgs{}, 0, nil)...)
	findings = append(findings, idFindings(h)...)
	if len(findings) > 1 && findings[1].State == StateBad {
		return append(findings, storeFindings(dir, storeDir)...)
	}
	inside := diagnoseArgs{Dir: dir, Groups: h.setgroups, LastUID: lastID(h)}
	findings = append(findings, trial(ctx, h, "process namespaces", "pid, ipc and uts namespaces", inside, unix.CLONE_NEWPID|unix.CLONE_NEWIPC|unix.CLONE_NEWUTS, nil)...)
	findings = append(findings, trial(ctx, h, "network namespace", "network: none has a loopback interface of its own", diagnoseArgs{Loopback: true}, unix.CLONE_NEWNET,
		func(one *Finding) { one.State = StateWarn; one.Hint += " (only projects with network: none need it)" })...)
	findings = append(findings, archFindings(ctx, h, emulators)...)
	return append(findings, storeFindings(dir, storeDir)...)
}

// lastID is the highest id of the map, to see whether the whole of it works.
func lastID(h *Host) uint32 {
	last := h.UIDs[len(h.UIDs)-1]
	id := last.ContainerID + last.Size - 1
	if id >= 1<<31 {
		id = 65534 // tools trip over the highest ids, not the kernel
	}
	return id
}

// trial runs the diagnosing stage and returns what it found, behind a finding about the namespaces themselves.
func trial(ctx context.Context, h *Host, name, detail string, args diagnoseArgs, namespaces uintptr, soften func(*Finding)) []Finding {
	var found []Finding
	p, err := h.Start(ctx, Command{Stage: stageDiagnose, Args: args, namespaces: namespaces})
	if err == nil {
		err = p.Wait(&found)
	}
	if err != nil {
		one := failed(name, StateBad, err)
		if soften != nil {
			soften(&one)
		}
		return append([]Finding{one}, found...)
	}
	return append([]Finding{{Name: name, State: StateOK, Detail: detail}}, found...)
}

// failed is the finding for an error.
func failed(name string, state State, err error) Finding {
	return Finding{Name: name, State: state, Detail: err.Error(), Hint: Hint(err)}
}

func kernelFinding(release string) Finding {
	if atLeast(release, 5, 11) {
		return Finding{Name: "kernel", State: StateOK, Detail: "Linux " + release}
	}
	return Finding{
		Name: "kernel", State: StateWarn, Detail: "Linux " + release,
		Hint: "overlayfs in user namespaces needs Linux 5.11 or later; until then each node copies its root, which is slower",
	}
}

// switches words the settings that exist on this host.
func switches(f hostFiles) string {
	var all []string
	for _, s := range switchesOff() {
		if v := f.value("/proc/sys/" + s.file); v != "" {
			all = append(all, s.name()+" = "+v)
		}
	}
	return strings.Join(all, ", ")
}

// idFindings says which tier there is, and why not the other.
func idFindings(h *Host) []Finding {
	one := Finding{Name: "ids", State: StateOK, Detail: fmt.Sprintf("%s tier: %s", h.Tier, h.Reason), Hint: h.Hint}
	if h.Tier == TierSingle {
		one.State = StateWarn
		one.Detail += "; base layers are complete, but scripts cannot give files to other users"
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

// storeFindings looks at the file system of the store from outside.
func storeFindings(dir, storeDir string) []Finding {
	name := filesystemName(dir)
	kind := Finding{Name: "store", State: StateOK, Detail: storeDir + " is on " + name}
	if isNetwork(name) {
		kind.State = StateWarn
		kind.Hint = "layers cannot be stacked on a network file system, and are copied there: set XTOO_SCRATCH to a directory on a local disk"
	}
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return []Finding{kind, failed("free space", StateBad, err)}
	}
	free := st.Bavail * uint64(st.Bsize)
	space := Finding{Name: "free space", State: StateOK, Detail: fmt.Sprintf("%.1f GiB, %d inodes", float64(free)/(1<<30), st.Ffree)}
	if free < lowSpace {
		space.State = StateWarn
		space.Hint = fmt.Sprintf("a stage3 needs about %d GiB: make room, run `xtoo clean`, or set XTOO_STORE to a directory on a larger disk", lowSpace>>30)
	}
	return []Finding{kind, space}
}

// nearestDir is the directory, or the nearest one above it that exists.
func nearestDir(dir string) (string, error) {
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
