package chroot

import (
	"context"
	"fmt"
	"strings"

	"xtoo/chroot/host"
	"xtoo/qemu"
)

// archFindings executes a program of each architecture, and says how, or what would make it possible.
func archFindings(ctx context.Context, h *Host, emulators []string) []host.Finding {
	var found []host.Finding
	registered, err := qemu.Registrations(qemu.BinfmtDir)
	if err != nil {
		found = append(found, host.Failed("binfmt_misc", host.StateWarn, err))
	}
	for _, a := range qemu.Families() {
		one := host.Finding{Name: a.Name, State: host.StateOK}
		e, err := h.Emulate(ctx, a, emulators)
		if err != nil {
			one = host.Failed(a.Name, host.StateWarn, err)
		} else {
			one.Detail = e.String()
		}
		if list := registeredFor(a, registered); list != "" {
			one.Detail += "; the host has registered " + list
		}
		found = append(found, one)
	}
	return found
}

// registeredFor lists what the host's binfmt_misc has for an architecture.
func registeredFor(a qemu.Arch, all []qemu.Registration) string {
	var list []string
	for _, r := range all {
		if r.Runs(a) {
			list = append(list, fmt.Sprintf("%s (%s, flags %q)", r.Name, r.Interpreter, r.Flags))
		}
	}
	return strings.Join(list, ", ")
}
