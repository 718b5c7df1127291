package local

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/opencontainers/go-digest"

	"xtoo/chroot"
	"xtoo/internal/engine"
	"xtoo/layers/store"
	"xtoo/qemu"
)

// portageFeatures is what Portage must do without under emulation, in the environment variable FEATURES: its sandboxes
// make namespaces and preload libraries in ways that qemu's user mode does not follow.
const portageFeatures = "-pid-sandbox -network-sandbox -ipc-sandbox -sandbox -usersandbox"

// kindEmulation are records: architecture, emulator, boot of this machine → how programs are executed.
const kindEmulation store.Kind = "emulations/2"

// An emulationResult is what was found out for an architecture.
type emulationResult struct {
	found      chroot.Emulation
	err        error
	remembered digest.Digest // key of the record that it is from; empty: it was found out now
}

// emulation says how nodes of an architecture are executed here. It is looked up once a build, when the first node of the
// architecture must be executed, and said where it is not natively.
func (r *Runner) emulation(ctx context.Context, a qemu.Arch) (chroot.Emulation, error) {
	if a.ELF == qemu.Host().ELF {
		return chroot.Emulation{Arch: a}, nil
	}
	r.emulating.Lock()
	defer r.emulating.Unlock()
	if known, ok := r.emulations[a]; ok {
		return known.found, known.err
	}
	res := r.findEmulation(ctx, a)
	if ctx.Err() != nil {
		return res.found, ctx.Err()
	}
	r.emulations[a] = res
	if res.err == nil {
		r.o.Events(engine.Event{Kind: engine.EventEmulation, Platform: a.String(), Text: emulationText(res.found)})
	}
	return res.found, res.err
}

// findEmulation finds out how programs are executed, or remembers it.
func (r *Runner) findEmulation(ctx context.Context, a qemu.Arch) emulationResult {
	host, err := r.host()
	if err != nil {
		return emulationResult{err: err}
	}
	key, refs, remembers := r.emulationKey(host, a)
	var found chroot.Emulation
	if remembers && r.o.Store.Get(kindEmulation, key, &found) && found.Arch == a {
		return emulationResult{found: found, remembered: key}
	}
	found, err = host.Emulate(ctx, a, r.o.Emulators)
	// What the host has registered may change at any time, and the rest costs nothing to find out.
	if err == nil && remembers && found.How == chroot.HowOwn {
		err = r.o.Store.Put(kindEmulation, key, refs, found)
	}
	return emulationResult{found: found, err: err}
}

// forgetEmulation makes the next call of emulation find out anew, and says whether that may help where used did not:
// what was remembered does not hold in a container with other rights, say.
func (r *Runner) forgetEmulation(used chroot.Emulation) (bool, error) {
	r.emulating.Lock()
	defer r.emulating.Unlock()
	a := used.Arch
	known, ok := r.emulations[a]
	if !ok || known.found != used {
		return true, nil // another node has done it
	}
	if known.remembered == "" {
		return false, nil
	}
	delete(r.emulations, a)
	return true, r.o.Store.Delete(kindEmulation, known.remembered)
}

// emulationKey is over what a trial depends on, as far as it can be known without one: the architecture, the emulator's
// file, the tier, the kernel as it was booted. It is false where nothing is to be remembered.
func (r *Runner) emulationKey(host *chroot.Host, a qemu.Arch) (digest.Digest, store.Refs, bool) {
	boot := store.BootID()
	emulator, err := qemu.Find(a, r.o.Emulators)
	if err != nil || boot == "" || os.Getenv(chroot.BinfmtVar) != "" {
		return "", store.Refs{}, false
	}
	id, err := store.IdentifyFile(emulator.Path)
	if err != nil {
		return "", store.Refs{}, false
	}
	return engine.Key("emulation", a.String(), fmt.Sprintf("%+v", id), string(host.Tier), boot), store.Refs{File: &id, Boot: boot}, true
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

func hasName(env []string, name string) bool {
	for _, e := range env {
		if strings.HasPrefix(e, name+"=") {
			return true
		}
	}
	return false
}
