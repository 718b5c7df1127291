package unpack

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// extensions are the extension headers before a member, as far as they tell where it ends. Every
// combination that programs are known to read differently is refused.
type extensions struct {
	pax, name, link bool
	size            int64 // of the pax record, -1 without one
	sparse          bool
}

func (e *extensions) any() bool { return e.pax || e.name || e.link }

// add checks one extension header.
func (e *extensions) add(kind byte, data []byte) error {
	switch kind {
	case tar.TypeXGlobalHeader:
		if e.any() {
			return errors.New("global header between a member and its extension header")
		}
		return checkGlobal(data)
	case tar.TypeXHeader:
		if e.any() {
			return errors.New("more than one extension header of one kind, or of different kinds, for one member")
		}
		e.pax = true
		return e.addPAX(data)
	case tar.TypeGNULongName, tar.TypeGNULongLink:
		seen := &e.name
		if kind == tar.TypeGNULongLink {
			seen = &e.link
		}
		if e.pax || *seen {
			return errors.New("more than one extension header of one kind, or of different kinds, for one member")
		}
		*seen = true
		if text := bytes.TrimRight(data, "\x00"); len(text) == 0 || bytes.IndexByte(text, 0) >= 0 {
			return errors.New("long name that is empty or holds a zero byte")
		}
	}
	return nil
}

// needValue are records whose empty value some programs take for "none" and others for "as before".
var needValue = map[string]bool{"path": true, "linkpath": true, "size": true, "uid": true, "gid": true, "mtime": true}

func (e *extensions) addPAX(data []byte) error {
	seen := make(map[string]bool)
	return eachRecord(data, func(key, value string) error {
		pieces := key == "GNU.sparse.offset" || key == "GNU.sparse.numbytes" // version 0.0 repeats them
		switch {
		case seen[key] && !pieces:
			return fmt.Errorf("record %q twice", key)
		case value == "" && needValue[key]:
			return fmt.Errorf("record %q is empty", key)
		case strings.IndexByte(value, 0) >= 0 && !strings.Contains(key, ".xattr."):
			return fmt.Errorf("record %q holds a zero byte", key)
		case key == "size":
			size, err := strconv.ParseInt(value, 10, 64)
			if err != nil || size < 0 || value[0] == '+' {
				return fmt.Errorf("record %q has the impossible value %q", key, value)
			}
			e.size = size
		case key == "GNU.sparse.major" && value != "0" && value != "1",
			key == "GNU.sparse.minor" && value != "0" && value != "1":
			return fmt.Errorf("record %q has the unknown value %q", key, value)
		}
		seen[key] = true
		e.sparse = e.sparse || strings.HasPrefix(key, "GNU.sparse.")
		return nil
	}, func() error {
		major, minor := seen["GNU.sparse.major"], seen["GNU.sparse.minor"]
		mapped := seen["GNU.sparse.map"] || seen["GNU.sparse.offset"]
		if e.sparse && (major != minor || !major && !mapped) {
			return errors.New("sparse file of an unknown version")
		}
		return nil
	})
}

// harmless are the global records that change no member. The others would: for programs that apply
// them, but not for archive/tar, which does not.
var harmless = map[string]bool{
	"comment": true, "atime": true, "ctime": true, "charset": true, "hdrcharset": true, "GNU.volume.label": true,
}

func checkGlobal(data []byte) error {
	return eachRecord(data, func(key, _ string) error {
		if !harmless[key] {
			return fmt.Errorf("global record %q, which programs apply to the members or not", key)
		}
		return nil
	}, nil)
}

// eachRecord reads pax records, POSIX.1-2017, pax, "pax Extended Header": "LENGTH KEY=VALUE\n".
func eachRecord(data []byte, f func(key, value string) error, end func() error) error {
	for len(data) > 0 {
		digits, _, ok := bytes.Cut(data[:min(len(data), 20)], []byte(" "))
		n, err := strconv.Atoi(string(digits))
		if !ok || err != nil || n < len(digits)+3 || n > len(data) || digits[0] == '+' || data[n-1] != '\n' {
			return errors.New("malformed pax record")
		}
		key, value, ok := strings.Cut(string(data[len(digits)+1:n-1]), "=")
		if !ok || key == "" || strings.IndexByte(key, 0) >= 0 {
			return errors.New("malformed pax record")
		}
		if err := f(key, value); err != nil {
			return err
		}
		data = data[n:]
	}
	if end != nil {
		return end()
	}
	return nil
}
