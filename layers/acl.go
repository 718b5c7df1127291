package layers

import (
	"cmp"
	"encoding/binary"
	"errors"
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

// IDs looks the name of a user, or of a group, up.
type IDs func(name string, group bool) (id uint32, ok bool)

// errNames says that a list has names in place of ids.
var errNames = fmt.Errorf("%w: access control list: a name without a number", ErrMember)

// ResolveACL turns a text of [Member.Named], stored as that attribute, into the attribute's value. It is empty for a list that says
// nothing. The error names what is not known.
func ResolveACL(attribute, text string, ids IDs) (string, error) {
	return parseACL(text, attribute == XattrDefaultACL, ids)
}

// parseACL turns the text that star and GNU tar store (acl(5), long or short form, with ids, the number
// after the name as star writes it, or a name that ids knows) into the value of an xattr. It is empty for a list that says
// nothing: one without entries, and a list of access that says no more than the mode. The list that a directory gives
// to what is made in it (inherited) is one with the three entries of a mode, too: they hold in place of the umask.
// Without ids a list with names is errNames, if nothing else is wrong with it.
func parseACL(text string, inherited bool, ids IDs) (string, error) {
	if len(text) > maxACLLength {
		return "", fmt.Errorf("%w: an access control list of %d bytes", ErrMember, len(text))
	}
	var entries []aclEntry
	named := false
	for line := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == '\n' || r == ',' }) {
		line, _, _ = strings.Cut(line, "#")
		line = strings.TrimPrefix(strings.TrimSpace(line), "default:")
		if line == "" {
			continue
		}
		e, err := parseACLEntry(line, ids)
		if errors.Is(err, errNames) {
			named, err = true, nil
		}
		if err != nil {
			return "", fmt.Errorf("%w: access control list: %w", ErrMember, err)
		}
		entries = append(entries, e)
	}
	if named {
		return "", errNames
	}
	slices.SortFunc(entries, func(a, b aclEntry) int {
		return cmp.Or(cmp.Compare(a.tag, b.tag), cmp.Compare(a.id, b.id))
	})
	if len(entries) == 0 || len(entries) <= 3 && !inherited {
		return "", nil
	}
	for _, tag := range []uint16{aclUserObj, aclGroupObj, aclOther} {
		if inherited && !slices.ContainsFunc(entries, func(e aclEntry) bool { return e.tag == tag }) {
			return "", fmt.Errorf("%w: access control list: %q lacks an entry user::, group:: or other:: that all have", ErrMember, text)
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

// aclMode returns the permissions that the value of an xattr stands for, as acl(5) says under "Correspondence between ACL
// entries and file permission bits", and whether it says more than they do. Where it is no list that the kernel would
// take, ok is false.
func aclMode(value string) (perm uint32, more, ok bool) {
	b := []byte(value)
	if len(b) < 4 || len(b)%8 != 4 || binary.LittleEndian.Uint32(b) != aclVersion {
		return 0, false, false
	}
	once := map[uint16]uint32{} // permissions of what may be there once
	for b = b[4:]; len(b) > 0; b = b[8:] {
		tag, p := binary.LittleEndian.Uint16(b), binary.LittleEndian.Uint16(b[2:])
		if _, twice := once[tag]; p > 7 || twice {
			return 0, false, false
		}
		switch tag {
		case aclUser, aclGroup:
			more = true
		case aclUserObj, aclGroupObj, aclMask, aclOther:
			once[tag] = uint32(p)
		default:
			return 0, false, false
		}
	}
	user, hasUser := once[aclUserObj]
	group, hasGroup := once[aclGroupObj]
	other, hasOther := once[aclOther]
	mask, hasMask := once[aclMask]
	if hasMask {
		group = mask
	}
	return user<<6 | group<<3 | other, more || hasMask, hasUser && hasGroup && hasOther && (hasMask || !more)
}

// ACLWithin looks at the value of an xattr that is an access control list: the permissions that a mode has with it, and whether
// all ids that it names are known. ok is false where it is none that the kernel would take.
func ACLWithin(value string, known func(id uint32, group bool) bool) (perm uint32, inside, ok bool) {
	perm, _, ok = aclMode(value)
	inside = true
	for b := []byte(value); ok && len(b) >= 12; b = b[8:] {
		e := b[4:]
		if tag := binary.LittleEndian.Uint16(e); tag == aclUser || tag == aclGroup {
			inside = inside && known(binary.LittleEndian.Uint32(e[4:]), tag == aclGroup)
		}
	}
	return perm, inside, ok
}

// ACLOfMode returns a list as it is when a file that had it has got another mode since: the entries of the owner, of the mask or
// else the group, and of the others are those of the mode.
func ACLOfMode(value string, mode uint32) string {
	if _, _, ok := aclMode(value); !ok {
		return value
	}
	b := []byte(value)
	group := -1
	for i := 4; i < len(b); i += 8 {
		perm := b[i+2:]
		switch binary.LittleEndian.Uint16(b[i:]) {
		case aclUserObj:
			binary.LittleEndian.PutUint16(perm, uint16(mode>>6&7))
		case aclOther:
			binary.LittleEndian.PutUint16(perm, uint16(mode&7))
		case aclMask:
			group = i
		case aclGroupObj:
			if group < 0 {
				group = i
			}
		}
	}
	if group >= 0 {
		binary.LittleEndian.PutUint16(b[group+2:], uint16(mode>>3&7))
	}
	return string(b)
}

func parseACLEntry(line string, ids IDs) (e aclEntry, err error) {
	f := strings.Split(line, ":")
	if len(f) == 2 { // "other:r--", "mask:rwx"
		f = []string{f[0], "", f[1]}
	}
	if len(f) < 3 {
		return aclEntry{}, fmt.Errorf("entry %q", line)
	}
	e = aclEntry{id: aclNoID}
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
	if e.perm, err = aclPermissions(f[2]); err != nil {
		return e, fmt.Errorf("entry %q: %w", line, err)
	}
	if e.tag == aclUser || e.tag == aclGroup {
		number := f[1]
		if len(f) > 3 {
			number = f[3]
		}
		id, err := strconv.ParseUint(number, 10, 32)
		if err == nil && id != aclNoID {
			e.id = uint32(id)
			return e, nil
		}
		if errors.Is(err, strconv.ErrRange) || err == nil {
			return e, fmt.Errorf("entry %q: the id is out of range", line)
		}
		if ids == nil {
			return e, errNames
		}
		var known bool
		if e.id, known = ids(f[1], e.tag == aclGroup); !known {
			return e, fmt.Errorf("entry %q: nobody of that name is known", line)
		}
	}
	return e, nil
}

func aclPermissions(text string) (perm uint16, err error) {
	for _, c := range strings.TrimSpace(text) {
		switch c {
		case 'r':
			perm |= 4
		case 'w':
			perm |= 2
		case 'x':
			perm |= 1
		case '-':
		default:
			return 0, fmt.Errorf("unknown permission %q", c)
		}
	}
	return perm, nil
}
