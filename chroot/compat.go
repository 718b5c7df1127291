package chroot

import (
	"xtoo/chroot/host"
	"xtoo/chroot/stage"
)

// Names that callers still use here, of the rooms where they are now.
type (
	// HostError is [host.Error].
	HostError = host.Error
	// Command is [stage.Command].
	Command = stage.Command
	// Process is [stage.Process].
	Process = stage.Process
	// Stage is [stage.Stage].
	Stage = stage.Stage
	// Tier is [host.Tier].
	Tier = host.Tier
	// Finding is [host.Finding].
	Finding = host.Finding
)

// What of these callers compare with.
const (
	TierMapped = host.TierMapped
	StateBad   = host.StateBad
)

// Register is [stage.Register].
func Register(name string, fn stage.Func, sentinels ...error) { stage.Register(name, fn, sentinels...) }

// Hint is [host.Hint].
func Hint(err error) string { return host.Hint(err) }
