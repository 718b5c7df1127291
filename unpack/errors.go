package unpack

import (
	"errors"

	"xtoo/internal/streams/packed"
)

// What can be wrong with a stage3. Errors of [Open], of the reader it returns and of [Copy] wrap one of
// these, or an error of the operating system, or the context's.
var (
	// ErrTruncated says that the input ends too early: a download that broke off.
	ErrTruncated = packed.ErrTruncated

	// ErrCorrupt says that the input contradicts itself: a checksum or a size does not fit.
	ErrCorrupt = packed.ErrCorrupt

	// ErrNotTar says that the input, decompressed if it was compressed, is no tar at all.
	ErrNotTar = errors.New("not a tar archive")

	// ErrUnsupported says that the input may well be right, but needs something that this package does
	// not do: an unusual filter, a dictionary larger than the limit, an unknown kind of member.
	ErrUnsupported = packed.ErrUnsupported

	// ErrHostile says that a member would do harm, or would mean one thing to one reader and another
	// thing to the next.
	ErrHostile = errors.New("refused")

	// ErrPattern says that an exclude pattern is malformed.
	ErrPattern = errors.New("malformed exclude pattern")
)
