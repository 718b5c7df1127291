package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
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
// others of the kinds (CLONE_NEW*). Where HelpedMaps says so the process has no ids yet, but all capabilities, when it
// executes.
func (h *Host) Attributes(kinds uintptr) *syscall.SysProcAttr {
	sys := &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS | kinds,
		Pdeathsig:  syscall.SIGKILL,
		Setsid:     true, // the terminal's Ctrl-C is for the parent, who ends what it started in order
	}
	if h.HelpedMaps() {
		// Root's automatic gain of capabilities is not to be had before the process has an id, so they all go over
		// in the ambient set.
		sys.AmbientCaps = AllCapabilities()
		return sys
	}
	sys.UidMappings, sys.GidMappings = sysMap(h.UIDs), sysMap(h.GIDs)
	sys.GidMappingsEnableSetgroups = h.Setgroups
	return sys
}

// HelpedMaps reports whether the maps of a namespace are written by programs: see WriteMaps.
func (h *Host) HelpedMaps() bool { return h.newuidmap != "" }

// WriteMaps has newuidmap(1) and newgidmap(1) write the maps of a process that was cloned with Attributes.
func (h *Host) WriteMaps(ctx context.Context, pid int) error {
	var group errgroup.Group
	group.Go(func() error { return h.writeMap(ctx, h.newuidmap, pid, h.UIDs) })
	group.Go(func() error { return h.writeMap(ctx, h.newgidmap, pid, h.GIDs) })
	return group.Wait()
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
