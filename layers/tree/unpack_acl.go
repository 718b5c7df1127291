package tree

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"xtoo/layers"
	"xtoo/layers/inode"
)

// maxAccounts is how much of etc/passwd and etc/group is read, in bytes.
const maxAccounts = 4 << 20

// setNamed gives the files of the layer the access control lists that have names in place of ids: only now is the
// etc/passwd known that says who is meant. A list with a name that nobody has is noted as lost.
func (u *unpacker) setNamed() error {
	if len(u.named) == 0 {
		return nil
	}
	ids, err := u.accounts()
	if err != nil {
		return err
	}
	for _, path := range slices.Sorted(maps.Keys(u.named)) {
		if err := u.setNamedOf(path, u.named[path], ids); err != nil {
			return fmt.Errorf("%s: access control list: %w", path, err)
		}
	}
	return nil
}

func (u *unpacker) setNamedOf(path string, lists map[string]string, ids layers.IDs) error {
	xattrs := map[string]string{}
	for name, text := range lists {
		value, err := layers.ResolveACL(name, text, ids)
		if err != nil {
			u.lose(path, fmt.Sprintf("xattr %s: %v", name, err))
		} else if value != "" {
			xattrs[name] = value
		}
	}
	parent, base := layers.Split(path)
	dir, err := u.existing(parent)
	if err != nil || dir == nil {
		return err
	}
	h := inode.RootHandle(dir.fd)
	if path != "" {
		st, err := inode.StatAt(dir.fd, base)
		if errors.Is(err, unix.ENOENT) || err == nil && st.Mode&unix.S_IFMT == unix.S_IFLNK {
			return nil
		}
		if err != nil {
			return err
		}
		if h, err = inode.Open(dir.fd, base, &st); err != nil {
			return err
		}
		defer h.Close()
	}
	lost, err := inode.SetXattrs(h, xattrs)
	for _, name := range lost {
		u.lose(path, "xattr "+name)
	}
	return err
}

// accounts reads the users and groups that the image has, as far as this layer goes.
func (u *unpacker) accounts() (layers.IDs, error) {
	low, err := u.lower()
	if err != nil {
		return nil, err
	}
	s := &stack{roots: []int{u.dirs.dirs[0].fd}} // borrowed: it is not closed
	if !u.hides.opaque[""] {
		s.roots = append(s.roots, low.roots...)
	}
	users, err := accountsIn(s, "etc/passwd")
	if err != nil {
		return nil, err
	}
	groups, err := accountsIn(s, "etc/group")
	if err != nil {
		return nil, err
	}
	return func(name string, group bool) (uint32, bool) {
		of := users
		if group {
			of = groups
		}
		id, ok := of[name]
		return id, ok
	}, nil
}

// accountsIn reads names and numbers of a file in the form of passwd(5). Where there is none, nobody is known.
func accountsIn(s *stack, path string) (map[string]uint32, error) {
	e, ok, done, err := s.find(path)
	defer func() { done() }()
	if err != nil || !ok || e.st.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil, err
	}
	h, err := inode.Open(e.dir, e.name, &e.st)
	if err != nil {
		return nil, err
	}
	defer h.Close()
	data, err := io.ReadAll(io.NewSectionReader(inode.FdReaderAt(h.FD), 0, maxAccounts))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	ids := map[string]uint32{}
	for line := range strings.Lines(string(data)) {
		f := strings.SplitN(line, ":", 4)
		if len(f) < 3 {
			continue
		}
		id, err := strconv.ParseUint(strings.TrimSpace(f[2]), 10, 32)
		if _, twice := ids[f[0]]; err == nil && !twice { // the first counts, as for getpwnam(3)
			ids[f[0]] = uint32(id)
		}
	}
	return ids, nil
}
