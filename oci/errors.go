package oci

import "errors"

// The errors that callers tell apart. All of them are found with [errors.Is]; the text around them names the
// directory, reference or blob. Errors of the file system (fs.ErrNotExist, fs.ErrPermission, syscall.ENOSPC)
// stay visible to errors.Is in the same way.
var (
	// ErrNotLayout: the directory is not empty and is not an image layout. Nothing in it was changed.
	ErrNotLayout = errors.New("not an OCI image layout")

	// errInvalid: a document (index, manifest, config, oci-layout, archive) is not what the specification
	// allows, or is too large. Nothing was changed because of it.
	errInvalid = errors.New("invalid OCI document")

	// errMismatch: content that does not have the digest or the size that the reference to it states.
	errMismatch = errors.New("content does not match its digest")

	// errReference: the text is not a reference of a known kind, or not a legal reference name.
	errReference = errors.New("illegal image reference")

	// errRefNotFound: the layout or archive is there, the reference in it is not.
	errRefNotFound = errors.New("no such reference")

	// ErrAmbiguous: no reference was named and the layout or archive holds several.
	ErrAmbiguous = errors.New("several images, name one")

	// errPlatform: the reference is there, but not for the platform that is wanted.
	errPlatform = errors.New("no image for the platform")
)

// hintError adds to an error what the user can do about it. Printers find the hint with errors.As and an
// interface{ Hint() string }.
type hintError struct {
	error
	hint string
}

// Hint says in one sentence what the user can do.
func (e *hintError) Hint() string { return e.hint }

// Unwrap keeps errors.Is and errors.As working.
func (e *hintError) Unwrap() error { return e.error }

func withHint(err error, hint string) error { return &hintError{error: err, hint: hint} }
