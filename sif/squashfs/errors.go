package squashfs

import "errors"

// Errors that callers tell apart. Paths that exist already, or that are missing, are reported as
// [io/fs.ErrExist] and [io/fs.ErrNotExist].
var (
	// ErrLimit: the entry is right, but squashfs (or Linux reading it) cannot hold it: too many ids, a
	// name, target or value that is too long, a device number out of range.
	ErrLimit = errors.New("beyond the limits of squashfs")

	// ErrClosed: the Writer was closed or aborted before.
	ErrClosed = errors.New("squashfs writer is closed")

	// ErrFormat: what is read is not squashfs 4.0, or is damaged.
	ErrFormat = errors.New("not a valid squashfs filesystem")

	// ErrUnsupported: what is read may be squashfs, but of a compression that this package lacks.
	ErrUnsupported = errors.New("unsupported squashfs compression")
)
