package engine

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/opencontainers/go-digest"

	"xtoo/chroot"
	"xtoo/layers/store"
	"xtoo/projects"
	"xtoo/qemu"
)

// portageFeatures is what Portage must do without under emulation, in the environment variable FEATURES: its sandboxes
// make namespaces and preload libraries in ways that qemu's user mode does not follow.
const portageFeatures = "-pid-sandbox -network-sandbox -ipc-sandbox -sandbox -usersandbox"

// An emulationResult is what was found out for an architecture.
type emulationResult struct {
	found      chroot.Emulation
	err        error
	remembered digest.Digest // key of the record that it is from; empty: it was found out now
}

// emulation says how nodes of an architecture are executed here. It is looked up once a build, when the first node of the
// architecture must be executed, and said where it is not natively.
func (b *build) emulation(ctx context.Context, a qemu.Arch) (chroot.Emulation, error) {
	if a.ELF == qemu.Host().ELF {
		return chroot.Emulation{Arch: a}, nil
	}
	b.emulating.Lock()
	defer b.emulating.Unlock()
	if r, ok := b.emulations[a]; ok {
		return r.found, r.err
	}
	r := b.findEmulation(ctx, a)
	if ctx.Err() != nil {
		return r.found, ctx.Err()
	}
	if b.emulations == nil {
		b.emulations = map[qemu.Arch]emulationResult{}
	}
	b.emulations[a] = r
	if r.err == nil {
		b.o.Events(Event{Kind: EventEmulation, Platform: a.String(), Text: emulationText(r.found)})
	}
	return r.found, r.err
}

// findEmulation finds out how programs are executed, or remembers it.
func (b *build) findEmulation(ctx context.Context, a qemu.Arch) emulationResult {
	host, err := b.o.Host()
	if err != nil {
		return emulationResult{err: err}
	}
	key, remembers := b.emulationKey(host, a)
	var found chroot.Emulation
	if remembers && b.o.Store.Get(store.KindEmulation, key, &found) && found.Arch == a {
		return emulationResult{found: found, remembered: key}
	}
	found, err = host.Emulate(ctx, a, b.o.Emulators)
	// What the host has registered may change at any time, and the rest costs nothing to find out.
	if err == nil && remembers && found.How == chroot.HowOwn {
		err = b.o.Store.Put(store.KindEmulation, key, found)
	}
	return emulationResult{found: found, err: err}
}

// forgetEmulation makes the next call of emulation find out anew, and says whether that may help where used did not:
// what was remembered does not hold in a container with other rights, say.
func (b *build) forgetEmulation(used chroot.Emulation) (bool, error) {
	b.emulating.Lock()
	defer b.emulating.Unlock()
	a := used.Arch
	r, ok := b.emulations[a]
	if !ok || r.found != used {
		return true, nil // another node has done it
	}
	if r.remembered == "" {
		return false, nil
	}
	delete(b.emulations, a)
	return true, b.o.Store.Delete(store.KindEmulation, r.remembered)
}

// emulationKey is over what a trial depends on, as far as it can be known without one: the architecture, the emulator's
// file, the tier, the kernel as it was booted. It is false where nothing is to be remembered.
func (b *build) emulationKey(host *chroot.Host, a qemu.Arch) (digest.Digest, bool) {
	boot := store.BootID()
	emulator, err := qemu.Find(a, b.o.Emulators)
	if err != nil || boot == "" || os.Getenv(chroot.BinfmtVar) != "" {
		return "", false
	}
	id, err := store.IdentifyFile(emulator.Path)
	if err != nil {
		return "", false
	}
	return keyOf("emulation", a.String(), fmt.Sprintf("%+v", id), string(host.Tier), boot), true
}

// emulationText tells the user what is done for an architecture.
func emulationText(e chroot.Emulation) string {
	if !e.Emulated() {
		return e.String()
	}
	text := "emulated by " + e.String()
	if e.Arch.CPU != "" {
		text += ", cpu " + e.Arch.CPU
	}
	return text + "; Portage's sandboxes do not work there: FEATURES=\"" + portageFeatures + "\""
}

// emulatedEnvironment adds what programs need in their environment under an emulator. Like the tier, it is of the host
// and in no key. What a project says itself counts.
func emulatedEnvironment(env []string, e chroot.Emulation) []string {
	if !e.Emulated() {
		return env
	}
	if e.Arch.CPU != "" && !hasName(env, qemu.CPUVar) {
		env = append(env, qemu.CPUVar+"="+e.Arch.CPU)
	}
	for i, v := range env {
		if own, ok := strings.CutPrefix(v, "FEATURES="); ok { // what stands later counts
			env[i] = "FEATURES=" + portageFeatures + " " + own
			return env
		}
	}
	return append(env, "FEATURES="+portageFeatures)
}

// checkEmulation finds out before a stage3 is read for nodes that they can be executed. Nodes that were executed before
// are left alone: their layers may be there, and then nothing is executed.
func (b *build) checkEmulation(ctx context.Context, from *projects.Base) error {
	if from.Arch.IsZero() || b.builtBefore(from) {
		return nil
	}
	_, err := b.emulation(ctx, from.Arch)
	if err != nil {
		return fmt.Errorf("%s: %w", from.Pos, err)
	}
	return nil
}

// builtBefore says whether the store remembers an execution of a node on this base.
func (b *build) builtBefore(base *projects.Base) bool {
	for _, p := range b.plan.Projects {
		if p.Base != base {
			continue
		}
		for _, n := range p.Nodes {
			var last lastRecord
			if b.o.Store.Get(store.KindLast, b.lastKey(n), &last) {
				return true
			}
		}
	}
	return false
}
