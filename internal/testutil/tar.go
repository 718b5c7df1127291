package testutil

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

// Day is the time of a [Member] that names none: that of the last Funtoo stage3s of the "next" build.
var Day = time.Unix(1655337600, 0).UTC()

// A Member is one member of a tar stream that a test makes. What its header leaves open is filled in when it is
// written: the type (a directory where the name ends in a slash, else a file), the mode (0755, 0644, 0777 for a
// symbolic link), the time ([Day]), the size (that of Data) and the format (PAX where the time has fractions of a second).
type Member struct {
	tar.Header
	Data string

	anyMode bool // a mode of 0 is meant
}

// File is a regular file.
func File(name, data string) Member {
	return Member{Header: tar.Header{Name: name, Typeflag: tar.TypeReg}, Data: data}
}

// Dir is a directory.
func Dir(name string) Member { return Member{Header: tar.Header{Name: name, Typeflag: tar.TypeDir}} }

// Symlink is a symbolic link.
func Symlink(name, target string) Member {
	return Member{Header: tar.Header{Name: name, Typeflag: tar.TypeSymlink, Linkname: target}}
}

// Link is another name of a member.
func Link(name, target string) Member {
	return Member{Header: tar.Header{Name: name, Typeflag: tar.TypeLink, Linkname: target}}
}

// Device is a device of a type of archive/tar: TypeChar, TypeBlock, or TypeFifo, whose numbers are 0.
func Device(name string, kind byte, major, minor int64) Member {
	return Member{Header: tar.Header{Name: name, Typeflag: kind, Devmajor: major, Devminor: minor}}
}

// WithMode is the member with a mode.
func (m Member) WithMode(mode int64) Member {
	m.Mode = mode
	return m
}

// WithOwner is the member with numeric owners.
func (m Member) WithOwner(uid, gid int) Member {
	m.Uid, m.Gid = uid, gid
	return m
}

// WithTime is the member with a time of modification.
func (m Member) WithTime(t time.Time) Member {
	m.ModTime = t
	return m
}

// WithXattr is the member with one more extended attribute, as a PAX record in the manner of GNU tar.
func (m Member) WithXattr(name, value string) Member { return m.WithPAX("SCHILY.xattr."+name, value) }

// WithPAX is the member with one more PAX record.
func (m Member) WithPAX(key, value string) Member {
	records := map[string]string{key: value}
	for k, v := range m.PAXRecords {
		records[k] = v
	}
	m.PAXRecords = records
	return m
}

// complete is the header as it is written.
func (m Member) complete() *tar.Header {
	h := m.Header
	if h.Typeflag == 0 {
		h.Typeflag = tar.TypeReg
		if strings.HasSuffix(h.Name, "/") {
			h.Typeflag = tar.TypeDir
		}
	}
	if h.Mode == 0 && !m.anyMode {
		switch h.Typeflag {
		case tar.TypeDir:
			h.Mode = 0o755
		case tar.TypeSymlink:
			h.Mode = 0o777
		default:
			h.Mode = 0o644
		}
	}
	if h.ModTime.IsZero() {
		h.ModTime = Day
	}
	if h.Format == tar.FormatUnknown && h.ModTime.Nanosecond() != 0 {
		h.Format = tar.FormatPAX // archive/tar rounds to seconds else
	}
	if h.Size == 0 {
		h.Size = int64(len(m.Data))
	}
	return &h
}

// Tar is a tar stream of the members, in their order, with its end. What archive/tar refuses to write ends the test:
// hostile streams are put together by other means.
func Tar(t testing.TB, members ...Member) []byte {
	t.Helper()
	data, err := MakeTar(members...)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return data
}

// MakeTar is [Tar] where no test is at hand, as in a command of testscript.
func MakeTar(members ...Member) ([]byte, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, m := range members {
		err := w.WriteHeader(m.complete())
		if err == nil {
			_, err = io.WriteString(w, m.Data)
		}
		if err = errors.Join(err, w.Flush()); err != nil { // Flush misses what a member promised
			return nil, fmt.Errorf("member %q: %w", m.Name, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("end the archive: %w", err)
	}
	return b.Bytes(), nil
}

// ReadTar reads a tar stream to its end as archive/tar does. What it cannot read ends the test.
func ReadTar(t testing.TB, data []byte) []Member {
	t.Helper()
	var members []Member
	r := tar.NewReader(bytes.NewReader(data))
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return members
		}
		if err != nil {
			t.Fatalf("after %d members: %v", len(members), err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatalf("member %q: %v", h.Name, err)
		}
		members = append(members, Member{Header: *h, Data: string(content)})
	}
}
