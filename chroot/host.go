package chroot

import (
	"xtoo/chroot/host"
	"xtoo/chroot/stage"
)

// The names of this package's own functions.
const (
	stageNode     = "chroot.node"
	stageEmulate  = "chroot.emulate"
	stageDiagnose = "chroot.diagnose"
	stageOverlay  = "chroot.overlay"
)

// A Host executes nodes on this machine, and functions of this program in its namespaces (Start). It may be used by
// any number of goroutines.
type Host struct {
	*host.Host    // what this machine offers to this user
	*stage.Client // its Close ends what executes nodes
	nobody        nobody
}

// newHost makes a Host of what was found out about this machine. It starts nothing.
func newHost(h *host.Host) *Host { return &Host{Host: h, Client: stage.NewClient(h)} }

// Close ends what executes nodes.
func (h *Host) Close() {
	h.Client.Close()
	h.nobody.close()
}

// Probe makes a Host of what [host.Probe] finds. It starts nothing; Close it when something was.
func Probe() (*Host, error) {
	h, err := host.Probe()
	if err != nil {
		return nil, err
	}
	return newHost(h), nil
}

// Main makes the functions of this package known and calls [stage.Main]: it is the first thing that a main does when
// it has registered its own functions.
func Main() {
	beScript()
	stage.RegisterAlone(stageNode, runNode, sentinels()...)
	stage.RegisterAlone(stageEmulate, emulateInside, sentinels()...)
	stage.RegisterAlone(stageOverlay, overlayInside, sentinels()...)
	stage.Register(stageDiagnose, diagnoseInside, sentinels()...)
	stage.Main()
}
