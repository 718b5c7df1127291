package chroot

import (
	"errors"
	"fmt"

	"xtoo/layers/inode"
)

// Kinds of errors; what is exported callers tell apart with errors.Is. All of them cross the border between a process and its client.
var (
	// ErrNoOverlay says that an overlay cannot be mounted in a user namespace here: a kernel before 5.11 or without overlayfs, a file system
	// that it does not take (a network's, FUSE, an overlay, one without user xattrs), a filter of a container's. It comes in a [host.Error]
	// that says what to do. A node can then be executed in a copy: see [RootsCopy].
	ErrNoOverlay = errors.New("overlayfs cannot be used")

	// errTooManyLayers: more Lowers than [MaxLayers].
	errTooManyLayers = errors.New("too many layers")

	// ErrNotExecutable: the process of a node could not be started: the program or its interpreter is missing
	// from the root, or is for another machine.
	ErrNotExecutable = errors.New("cannot be executed")

	// errUnsupported: the runtime specification of a node asks for something that this executor does not do.
	errUnsupported = errors.New("not supported by this executor")

	// ErrNoEmulation says that there is no way to execute programs of an architecture on this host. It is a
	// [host.Error] whose hint says what would help.
	ErrNoEmulation = errors.New("its programs cannot be executed on this machine")
)

// sentinels are those errors.
func sentinels() []error {
	return []error{ErrNoOverlay, inode.ErrNoUserXattrs, errTooManyLayers, ErrNotExecutable, errUnsupported, ErrNoEmulation}
}

// unsupported is the error for a part of a runtime specification.
func unsupported(what string) error {
	return fmt.Errorf("runtime spec: %s: %w", what, errUnsupported)
}
