package layers

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// The binary form of an access control list, linux/posix_acl_xattr.h: a version and entries of a tag, the
// permission bits and an id, little-endian, sorted by tag and id.
const (
	aclVersion   = 2
	aclUserObj   = 0x01
	aclUser      = 0x02
	aclGroupObj  = 0x04
	aclGroup     = 0x08
	aclMask      = 0x10
	aclOther     = 0x20
	aclNoID      = 0xffffffff
	maxACLLength = 1 << 16
)

type aclEntry struct {
	tag, perm uint16
	id        uint32
}

// parseACL turns the text that star and GNU tar store (acl(5), long or short form, numeric ids or the number
// after the name as star writes it) into the value of an xattr. It is empty for a list that says nothing: one without
// entries, and a list of access that says no more than the mode. The list that a directory gives to what is made in
// it (inherited) is one with the three entries of a mode, too: they hold in place of the umask.
func parseACL(text string, inherited bool) (string, error) {
	if len(text) > maxACLLength {
		return "", fmt.Errorf("%w: an access control list of %d bytes", ErrMember, len(text))
	}
	var entries []aclEntry
	for line := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == '\n' || r == ',' }) {
		line, _, _ = strings.Cut(line, "#")
		line = strings.TrimPrefix(strings.TrimSpace(line), "default:")
		if line == "" {
			continue
		}
		e, err := parseACLEntry(line)
		if err != nil {
			return "", fmt.Errorf("%w: access control list: %w", ErrMember, err)
		}
		entries = append(entries, e)
	}
	slices.SortFunc(entries, func(a, b aclEntry) int {
		return cmp.Or(cmp.Compare(a.tag, b.tag), cmp.Compare(a.id, b.id))
	})
	if len(entries) == 0 || len(entries) <= 3 && !inherited {
		return "", nil
	}
	for _, tag := range []uint16{aclUserObj, aclGroupObj, aclOther} {
		if inherited && !slices.ContainsFunc(entries, func(e aclEntry) bool { return e.tag == tag }) {
			return "", fmt.Errorf("%w: access control list: %q lacks user::, group:: or other::", ErrMember, text)
		}
	}
	b := binary.LittleEndian.AppendUint32(nil, aclVersion)
	for _, e := range entries {
		b = binary.LittleEndian.AppendUint16(b, e.tag)
		b = binary.LittleEndian.AppendUint16(b, e.perm)
		b = binary.LittleEndian.AppendUint32(b, e.id)
	}
	return string(b), nil
}

func parseACLEntry(line string) (aclEntry, error) {
	f := strings.Split(line, ":")
	if len(f) == 2 { // "other:r--", "mask:rwx"
		f = []string{f[0], "", f[1]}
	}
	if len(f) < 3 {
		return aclEntry{}, fmt.Errorf("entry %q", line)
	}
	e := aclEntry{id: aclNoID}
	named := f[1] != ""
	switch f[0] {
	case "user", "u":
		e.tag = aclUserObj
		if named {
			e.tag = aclUser
		}
	case "group", "g":
		e.tag = aclGroupObj
		if named {
			e.tag = aclGroup
		}
	case "mask", "m":
		e.tag = aclMask
	case "other", "o":
		e.tag = aclOther
	default:
		return e, fmt.Errorf("entry %q: unknown kind", line)
	}
	if e.tag == aclUser || e.tag == aclGroup {
		number := f[1]
		if len(f) > 3 {
			number = f[3]
		}
		id, err := strconv.ParseUint(number, 10, 32)
		if err != nil || id == aclNoID {
			return e, fmt.Errorf("entry %q: the id is not a number", line)
		}
		e.id = uint32(id)
	}
	for _, c := range strings.TrimSpace(f[2]) {
		switch c {
		case 'r':
			e.perm |= 4
		case 'w':
			e.perm |= 2
		case 'x':
			e.perm |= 1
		case '-':
		default:
			return e, fmt.Errorf("entry %q: unknown permission", line)
		}
	}
	return e, nil
}
