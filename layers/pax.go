package layers

import (
	"encoding/base64"
	"errors"
	"net/url"
	"slices"
	"strings"
)

// Keys of extended headers.
const (
	paxXattr        = "SCHILY.xattr."     // star, GNU tar, Go and every image: the value as it is
	paxXattrArchive = "LIBARCHIVE.xattr." // libarchive: the name percent-encoded, the value in base64
	paxACL          = "SCHILY.acl.access" // star, GNU tar: an access control list as text
	paxDefaultACL   = "SCHILY.acl.default"
)

// attributes takes extended attributes and access control lists from the records of an extended header.
func (m *Member) attributes(records map[string]string) {
	for key, value := range records {
		if name, value, err := attribute(records, key, value); err != nil {
			m.Lost = append(m.Lost, name)
		} else if name != "" {
			if m.Xattrs == nil {
				m.Xattrs = make(map[string]string)
			}
			m.Xattrs[name] = value
		}
	}
	slices.Sort(m.Lost) // the order of a map is none
}

var errAttribute = errors.New("no file can have this attribute")

// attribute returns the attribute that a record stands for; an empty name says that it is none, or said again elsewhere.
func attribute(records map[string]string, key, value string) (name, is string, err error) {
	switch {
	case strings.HasPrefix(key, paxXattr):
		name = key[len(paxXattr):]
	case strings.HasPrefix(key, paxXattrArchive):
		if name, err = url.PathUnescape(key[len(paxXattrArchive):]); err != nil {
			return key, "", errAttribute
		}
		if _, ok := records[paxXattr+name]; ok {
			return "", "", nil // libarchive writes both forms
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

// aclAttribute is attribute for an access control list as text.
func aclAttribute(records map[string]string, key, text string) (name, value string, err error) {
	name = xattrACL
	if key == paxDefaultACL {
		name = XattrDefaultACL
	}
	if _, ok := records[paxXattr+name]; ok {
		return "", "", nil
	}
	if value, err = parseACL(strings.TrimSpace(text), key == paxDefaultACL); err != nil {
		return key, "", err
	}
	if value == "" {
		name = ""
	}
	return name, value, nil
}
