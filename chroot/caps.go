package chroot

import (
	"fmt"
	"slices"
	"strings"

	"github.com/moby/sys/capability"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"xtoo/chroot/host"
)

// parseCaps turns CAP_ names into numbers. What this kernel does not know is an error.
func parseCaps(names []string) ([]capability.Cap, error) {
	known := map[string]capability.Cap{}
	for _, c := range capability.ListKnown() {
		known["CAP_"+strings.ToUpper(c.String())] = c
	}
	caps := make([]capability.Cap, 0, len(names))
	for _, name := range names {
		c, ok := known[strings.ToUpper(name)]
		if !ok {
			return nil, fmt.Errorf("unknown capability %q", name)
		}
		caps = append(caps, c)
	}
	slices.Sort(caps)
	return slices.Compact(caps), nil
}

// checkCaps accepts what the payload can be given: the bounding set, which for user 0 is also what is permitted and effective after
// execve (capabilities(7)), and an ambient set for others.
func checkCaps(c *specs.LinuxCapabilities) error {
	if c == nil {
		return nil
	}
	bounding, err := parseCaps(c.Bounding)
	if err != nil {
		return fmt.Errorf("runtime spec: process.capabilities: %w", err)
	}
	for _, one := range []capability.Cap{capability.CAP_SYS_ADMIN, capability.CAP_SYS_PTRACE} {
		if slices.Contains(bounding, one) { // see namespacesOf
			return unsupported("process.capabilities: a set with CAP_" + strings.ToUpper(one.String()))
		}
	}
	for _, set := range [][]string{c.Effective, c.Permitted, c.Inheritable, c.Ambient} {
		caps, err := parseCaps(set)
		if err != nil {
			return fmt.Errorf("runtime spec: process.capabilities: %w", err)
		}
		for _, one := range caps {
			if !slices.Contains(bounding, one) {
				return fmt.Errorf("runtime spec: process.capabilities: %s is not in the bounding set", one)
			}
		}
	}
	return nil
}

// limitThread makes the calling thread, which must be locked and is given up afterwards, hand on what c says and
// nothing else: no ambient or inheritable capability is left over from how the stage was started.
func limitThread(c *specs.LinuxCapabilities) error {
	if err := capability.ResetAmbient(); err != nil {
		return fmt.Errorf("clear the ambient capabilities: %w", err)
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	data := [2]unix.CapUserData{}
	if err := unix.Capget(&header, &data[0]); err != nil {
		return fmt.Errorf("read capabilities: %w", err)
	}
	data[0].Inheritable, data[1].Inheritable = 0, 0
	if c != nil {
		keep, err := parseCaps(c.Bounding)
		if err != nil {
			return err
		}
		for _, n := range host.AllCapabilities() {
			if slices.Contains(keep, capability.Cap(n)) {
				continue
			}
			if err := unix.Prctl(unix.PR_CAPBSET_DROP, n, 0, 0, 0); err != nil {
				return fmt.Errorf("drop capability %d: %w", n, err)
			}
		}
	}
	if err := unix.Capset(&header, &data[0]); err != nil {
		return fmt.Errorf("clear the inheritable capabilities: %w", err)
	}
	return nil
}

// ambientCaps are those that a process which is not user 0 keeps over its execve.
func ambientCaps(c *specs.LinuxCapabilities) ([]uintptr, error) {
	if c == nil {
		return nil, nil
	}
	caps, err := parseCaps(c.Ambient)
	if err != nil {
		return nil, err
	}
	n := make([]uintptr, len(caps))
	for i, one := range caps {
		n[i] = uintptr(one)
	}
	return n, nil
}
