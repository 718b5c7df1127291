package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"

	"github.com/moby/sys/capability"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// Attributes are what a process must be cloned with to get user and mount namespaces with the maps of this host, and
// others of the kinds (CLONE_NEW*). It has its ids when it executes. With programs to write its maps a host cannot do
// that: see LateAttributes.
func (h *Host) Attributes(kinds uintptr) *syscall.SysProcAttr {
	sys := attributes(kinds)
	sys.UidMappings, sys.GidMappings = sysMap(h.UIDs), sysMap(h.GIDs)
	sys.GidMappingsEnableSetgroups = h.Setgroups
	return sys
}

// LateAttributes are Attributes for a process that executes without ids, but with all capabilities, and gets its maps by
// WriteMaps afterwards. It costs far less: package syscall copies the memory of this process for one that has to wait for its
// maps, and each page that either of them writes to, with an interrupt on every core that this process runs on.
func LateAttributes(kinds uintptr) *syscall.SysProcAttr {
	sys := attributes(kinds | syscall.CLONE_VM | syscall.CLONE_VFORK)
	// Root's automatic gain of capabilities is not to be had before the process has an id, so they all go over
	// in the ambient set.
	sys.AmbientCaps = AllCapabilities()
	return sys
}

func attributes(kinds uintptr) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS | kinds,
		Pdeathsig:  syscall.SIGKILL,
		Setsid:     true, // the terminal's Ctrl-C is for the parent, who ends what it started in order
	}
}

// HelpedMaps reports whether the maps of a namespace are written by programs.
func (h *Host) HelpedMaps() bool { return h.newuidmap != "" }

// WriteMaps writes the maps of a process that was cloned with LateAttributes and has not been waited for, by newuidmap(1) and
// newgidmap(1) where this process may not do it itself.
func (h *Host) WriteMaps(ctx context.Context, pid int) error {
	if !h.HelpedMaps() {
		return h.writeOwnMaps(pid)
	}
	var group errgroup.Group
	group.Go(func() error { return h.writeMap(ctx, h.newuidmap, pid, h.UIDs) })
	group.Go(func() error { return h.writeMap(ctx, h.newgidmap, pid, h.GIDs) })
	return group.Wait()
}

// writeOwnMaps writes the files that user_namespaces(7) describes.
func (h *Host) writeOwnMaps(pid int) error {
	setgroups := "deny" // or the kernel takes no map of a user without privileges
	if h.Setgroups {
		setgroups = "allow"
	}
	for _, file := range []struct{ name, content string }{
		{"uid_map", mapLines(h.UIDs)}, {"setgroups", setgroups}, {"gid_map", mapLines(h.GIDs)},
	} {
		path := "/proc/" + strconv.Itoa(pid) + "/" + file.name
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err == nil {
			_, err = f.WriteString(file.content)
			err = errors.Join(err, f.Close())
		}
		if err != nil {
			return ExplainStart(fmt.Errorf("write the id maps: %w", err), 0)
		}
	}
	return nil
}

// mapLines is a map as the kernel takes it.
func mapLines(m []specs.LinuxIDMapping) string {
	var b strings.Builder
	for _, r := range m {
		fmt.Fprintf(&b, "%d %d %d\n", r.ContainerID, r.HostID, r.Size)
	}
	return b.String()
}

func (h *Host) writeMap(ctx context.Context, program string, pid int, m []specs.LinuxIDMapping) error {
	var said bytes.Buffer
	cmd := exec.CommandContext(ctx, program, append([]string{strconv.Itoa(pid)}, mapArgs(m)...)...)
	cmd.Stderr, cmd.Env = &said, []string{"PATH=/usr/bin:/bin", "LC_ALL=C"}
	err := cmd.Run()
	if err == nil {
		return nil
	}
	text := strings.TrimSpace(said.String())
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", program, errors.Join(ctx.Err(), err))
	}
	hint := "check that /etc/subuid and /etc/subgid give this user the ranges, or build with one id: " + tierVar + "=single"
	if state, kind := privilegeOf(program); state != StateOK {
		hint = kind
	}
	return &Error{Err: fmt.Errorf("%w: %s: %w: %s", ErrNoNamespaces, program, err, text), Hint: hint}
}

// Inside is this host as it is seen from within the namespaces with its maps: all of those ids, each as it is.
func (h *Host) Inside() *Host {
	return &Host{Tier: h.Tier, UIDs: identity(h.UIDs), GIDs: identity(h.GIDs), Reason: h.Reason, Hint: h.Hint, Setgroups: h.Setgroups}
}

func sysMap(m []specs.LinuxIDMapping) []syscall.SysProcIDMap {
	s := make([]syscall.SysProcIDMap, len(m))
	for i, r := range m {
		// An int of 32 bits does not hold root's whole range: the upper half of all ids is nobody's.
		s[i] = syscall.SysProcIDMap{ContainerID: int(r.ContainerID), HostID: int(r.HostID), Size: int(min(uint64(r.Size), math.MaxInt))}
	}
	return s
}

// AllCapabilities are those that the running kernel knows.
func AllCapabilities() []uintptr {
	last, err := capability.LastCap()
	if err != nil {
		last = unix.CAP_LAST_CAP
	}
	all := make([]uintptr, 0, last+1)
	for c := capability.Cap(0); c <= last; c++ {
		all = append(all, uintptr(c))
	}
	return all
}
