package unpack

import (
	"errors"

	"xtoo/internal/streams/packed"
)

// What can be wrong with a stage3. Errors of [Open], of the reader it returns and of [Copy] are one of
// these kinds, or an error of the operating system, or the context's.
var (
	// errTruncated says that the input ends too early: a download that broke off.
	errTruncated = packed.ErrTruncated

	// errCorrupt says that the input contradicts itself: a checksum or a size does not fit.
	errCorrupt = packed.ErrCorrupt

	// ErrNotTar says that the input, decompressed if it was compressed, is no tar at all.
	ErrNotTar = errors.New("not a tar archive")

	// errUnsupported says that the input may well be right, but needs something that this package does
	// not do: an unusual filter, a dictionary larger than the limit, an unknown kind of member.
	errUnsupported = packed.ErrUnsupported

	// errHostile says that a member would do harm, or would mean one thing to one reader and another
	// thing to the next.
	errHostile = errors.New("refused")

	// errPattern says that an exclude pattern is malformed.
	errPattern = errors.New("malformed exclude pattern")
)
