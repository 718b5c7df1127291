package host

import (
	"errors"
	"syscall"
)

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

// Hint returns the hint of the first [Error] in err's tree, or what to do about a limit that was reached, or "".
func Hint(err error) string {
	var h *Error
	switch {
	case errors.As(err, &h):
		return h.Hint
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return "make room there (bytes, inodes, or this user's quota), or keep the store elsewhere (--store, XTOO_STORE); xtoo clean removes what it does not need"
	case errors.Is(err, syscall.EFBIG):
		return "raise the limit of the size of files (`ulimit -f`, fsize in /etc/security/limits.conf), or keep the store on a file system that takes larger ones"
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return "raise the limit of open files (`ulimit -n`, nofile in /etc/security/limits.conf)"
	}
	return ""
}
