package oneid

import (
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sys/unix"
)

// A home is the user namespace of the node's process, one below init's. In one that the script makes itself ids mean others, so
// there the kernel answers, as it does in every tier.
type home struct {
	above uint64 // init's own
	mu    sync.Mutex
	known map[uint64]bool // by the number of the namespace
}

func (h *home) prepare() error {
	var st unix.Stat_t
	if err := unix.Stat("/proc/self/ns/user", &st); err != nil {
		return fmt.Errorf("look at the user namespace: %w", err)
	}
	h.above, h.known = st.Ino, map[uint64]bool{}
	return nil
}

// atHome says that the ids of the calling process are the node's.
func (r *request) atHome() (bool, error) {
	if r.w.world.shared() && r.w.atHome {
		return true, nil
	}
	is, err := r.findHome()
	r.w.atHome = err == nil && is
	return is, err
}

func (r *request) findHome() (bool, error) {
	h := &r.w.home
	var st unix.Stat_t
	name := r.proc("ns/user")
	if err := retry(func() error { return unix.Stat(name, &st) }); err != nil {
		return false, err
	}
	h.mu.Lock()
	is, ok := h.known[st.Ino]
	h.mu.Unlock()
	if ok {
		return is, nil
	}
	fd, err := openAt(unix.AT_FDCWD, name)
	if err != nil {
		return false, err
	}
	defer closeFD(fd)
	parent, err := unix.IoctlRetInt(fd, unix.NS_GET_PARENT)
	switch {
	case err == nil:
		defer closeFD(parent)
		err = unix.Fstat(parent, &st)
		is = st.Ino == h.above
	case errors.Is(err, unix.EPERM): // init's own, whose parent is out of sight
		err = nil
	}
	if err != nil {
		return false, err
	}
	var own unix.Stat_t
	if err := unix.Fstat(fd, &own); err != nil {
		return false, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.known) >= maxKnown {
		clear(h.known)
	}
	h.known[own.Ino] = is
	return is, nil
}
