package layers

import (
	"encoding/base64"
	"errors"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Keys of extended headers.
const (
	paxXattr        = "SCHILY.xattr."     // star, GNU tar, Go and every image: the value as it is
	paxXattrArchive = "LIBARCHIVE.xattr." // libarchive: the name percent-encoded, the value in base64
	paxACL          = "SCHILY.acl.access" // star, GNU tar: an access control list as text
	paxDefaultACL   = "SCHILY.acl.default"
)

// An "=" would end a key. GNU tar writes it as %3D, and hence "%" as %25; others, who cannot write such a name at all, know
// of neither.
var unescape = strings.NewReplacer("%3D", "=", "%25", "%")

// escape is what [unescape] undoes. A "%" that is nothing to undo stays as it is, for those who do not.
var escape = strings.NewReplacer("=", "%3D", "%3D", "%253D", "%25", "%2525")

// attributes takes extended attributes and access control lists from the records of an extended header.
func (m *Member) attributes(records map[string]string) {
	var keys []string
	for key := range records {
		if strings.HasPrefix(key, paxXattr) || strings.HasPrefix(key, paxXattrArchive) || key == paxACL || key == paxDefaultACL {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys) // where two of them stand for one attribute it is always the same that holds
	for _, key := range keys {
		if name, value, err := attribute(records, key, records[key]); errors.Is(err, errNames) {
			if m.Named == nil {
				m.Named = make(map[string]string)
			}
			m.Named[name] = value
		} else if err != nil {
			m.Lost = append(m.Lost, name)
		} else if name != "" {
			if m.Xattrs == nil {
				m.Xattrs = make(map[string]string)
			}
			m.Xattrs[name] = value
		}
	}
	slices.Sort(m.Lost)
	m.listedMode()
}

// listedMode gives a file the permissions that its access control list stands for, as the kernel does when a list is
// set. Programs disagree on what they write beside one: libarchive writes the group's own permissions, the others the
// mask. A list that says no more than permissions is none.
func (m *Member) listedMode() {
	list, ok := m.Xattrs[XattrACL]
	if text, named := m.Named[XattrACL]; !ok && named {
		var err error
		list, err = parseACL(text, false, func(string, bool) (uint32, bool) { return 0, true }) // whoever is meant
		ok = err == nil
	}
	if !ok || m.Mode&unix.S_IFMT == unix.S_IFLNK {
		return
	}
	perm, more, ok := aclMode(list)
	if !ok {
		return
	}
	m.Mode = m.Mode&^0o777 | perm
	if !more {
		delete(m.Xattrs, XattrACL)
	}
}

var errAttribute = errors.New("no file can have this attribute")

// attribute returns the attribute that a record stands for; an empty name says that it is none, or said again elsewhere.
func attribute(records map[string]string, key, value string) (name, is string, err error) {
	switch {
	case strings.HasPrefix(key, paxXattr):
		name = key[len(paxXattr):]
		if _, ok := records[paxXattrArchive+name]; !ok {
			name = unescape.Replace(name)
		} else if name, err = url.PathUnescape(name); err != nil {
			return key, "", errAttribute
		}
	case strings.HasPrefix(key, paxXattrArchive):
		name = key[len(paxXattrArchive):]
		if _, ok := records[paxXattr+name]; ok {
			return "", "", nil // libarchive writes both forms
		}
		if name, err = url.PathUnescape(name); err != nil {
			return key, "", errAttribute
		}
		b, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(value, "="))
		if err != nil {
			return name, "", errAttribute
		}
		value = string(b)
	case key == paxACL || key == paxDefaultACL:
		return aclAttribute(records, key, value)
	default:
		return "", "", nil
	}
	switch {
	case name == "" || strings.IndexByte(name, 0) >= 0 || len(name) > MaxXattrName || len(value) > MaxXattrValue:
		return key, "", errAttribute
	case IsOurs(name):
		return name, "", errAttribute
	case name == XattrCapability:
		value = CapabilityV2(value)
	}
	return name, value, nil
}

// aclAttribute is attribute for an access control list as text. With errNames the text is the value.
func aclAttribute(records map[string]string, key, text string) (name, value string, err error) {
	name = XattrACL
	if key == paxDefaultACL {
		name = XattrDefaultACL
	}
	if _, ok := records[paxXattr+name]; ok {
		return "", "", nil
	}
	text = strings.TrimSpace(text)
	if value, err = parseACL(text, key == paxDefaultACL, nil); errors.Is(err, errNames) {
		return name, text, err
	} else if err != nil {
		return key, "", err
	}
	if value == "" {
		name = ""
	}
	return name, value, nil
}
