package host

import "errors"

// ErrNoNamespaces says that this host does not let this user make the namespaces that are needed. The error is an [Error] whose
// hint names the setting.
var ErrNoNamespaces = errors.New("user namespaces cannot be used")

// An Error is one that a setting of the host causes, with what would mend it.
type Error struct {
	Err  error
	Hint string // what to do, naming the exact setting, package or line of a file; may have several lines
}

func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the error without its hint.
func (e *Error) Unwrap() error { return e.Err }

// Hint returns the hint of the first [Error] in err's tree, or "" when there is none.
func Hint(err error) string {
	var h *Error
	if errors.As(err, &h) {
		return h.Hint
	}
	return ""
}
