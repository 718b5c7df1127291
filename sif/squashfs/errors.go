package squashfs

import "errors"

// Kinds of errors. Paths that exist already, or that are missing, are reported as
// [io/fs.ErrExist] and [io/fs.ErrNotExist].
var (
	// errLimit: the entry is right, but squashfs (or Linux reading it) cannot hold it: too many ids, a
	// name, target or value that is too long, a device number out of range.
	errLimit = errors.New("beyond the limits of squashfs")

	// errClosed: the Writer was closed or aborted before.
	errClosed = errors.New("squashfs writer is closed")

	// errFormat: what is read is not squashfs 4.0, or is damaged.
	errFormat = errors.New("not a valid squashfs filesystem")

	// errUnsupported: what is read may be squashfs, but of a compression that this package lacks.
	errUnsupported = errors.New("unsupported squashfs compression")
)
