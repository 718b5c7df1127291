package layers

import (
	"archive/tar"
	"fmt"
	"io"
	"time"

	"golang.org/x/sys/unix"
)

// A Writer writes a layer's stream in canonical form: the same members give the same bytes.
//
//   - Names have no leading "./" but for the root, which is "./"; those of directories end in a slash.
//   - Headers are PAX only where ustar does not hold what is to be said; owners are numbers; xattrs are
//     SCHILY.xattr.*, access control lists among them; those with names ([Member.Named]) are SCHILY.acl.*. A whiteout is an empty file, root's, of 1970.
//   - Without members there is no stream: not even the two blocks that end one.
//
// The order is the caller's.
type Writer struct {
	w      io.Writer
	prefix string      // of names, and of what hard links are to
	tar    *tar.Writer // nil until the first member
}

// NewWriter returns a writer to w, which stays the caller's.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w} }

// NewStageWriter returns a writer to w, which stays the caller's, whose names all begin with "./", as those of stages do, and
// so do the targets of hard links.
func NewStageWriter(w io.Writer) *Writer { return &Writer{w: w, prefix: "./"} }

// WriteMember writes a member. The data of a regular file follow by Write, m.Size bytes of them.
func (w *Writer) WriteMember(m *Member) error {
	hdr, err := header(m)
	if err != nil {
		return fmt.Errorf("write entry %q: %w", m.Path, err)
	}
	if w.tar == nil {
		w.tar = tar.NewWriter(w.w)
	}
	if hdr.Name != "./" {
		hdr.Name = w.prefix + hdr.Name
	}
	if hdr.Typeflag == tar.TypeLink {
		hdr.Linkname = w.prefix + hdr.Linkname
	}
	if err := w.tar.WriteHeader(hdr); err != nil {
		return fmt.Errorf("write entry %q: %w", hdr.Name, err)
	}
	return nil
}

// Write writes data of the regular file whose member was written last.
func (w *Writer) Write(p []byte) (int, error) {
	if w.tar == nil {
		return 0, tar.ErrWriteTooLong
	}
	n, err := w.tar.Write(p)
	if err != nil {
		err = fmt.Errorf("write the archive: %w", err)
	}
	return n, err
}

// Close ends the stream.
func (w *Writer) Close() error {
	if w.tar == nil {
		return nil
	}
	if err := w.tar.Close(); err != nil {
		return fmt.Errorf("end the archive: %w", err)
	}
	return nil
}

// header returns the canonical header of a member.
func header(m *Member) (*tar.Header, error) {
	hdr := &tar.Header{Name: m.Path, Format: tar.FormatPAX, Typeflag: tar.TypeReg, ModTime: time.Unix(0, 0)}
	switch m.Kind {
	case Whiteout:
		dir, base := Split(m.Path)
		hdr.Name = join(dir, WhiteoutPrefix+base)
		return hdr, nil
	case Opaque:
		hdr.Name = join(m.Path, whiteoutOpaque)
		return hdr, nil
	case Nothing:
		return nil, fmt.Errorf("%w: it means nothing", ErrMember)
	}
	hdr.Mode, hdr.Uid, hdr.Gid, hdr.ModTime = int64(m.Mode&0o7777), int(m.UID), int(m.GID), m.ModTime
	if m.Kind == HardLink {
		hdr.Typeflag, hdr.Linkname = tar.TypeLink, m.Target
		return hdr, nil
	}
	switch m.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		hdr.Size = m.Size
	case unix.S_IFDIR:
		hdr.Typeflag, hdr.Name = tar.TypeDir, m.Path+"/"
		if m.Path == "" {
			hdr.Name = "./"
		}
	case unix.S_IFLNK:
		hdr.Typeflag, hdr.Linkname = tar.TypeSymlink, m.Target
	case unix.S_IFIFO:
		hdr.Typeflag = tar.TypeFifo
	case unix.S_IFCHR:
		hdr.Typeflag, hdr.Devmajor, hdr.Devminor = tar.TypeChar, int64(m.Major), int64(m.Minor)
	case unix.S_IFBLK:
		hdr.Typeflag, hdr.Devmajor, hdr.Devminor = tar.TypeBlock, int64(m.Major), int64(m.Minor)
	default:
		return nil, fmt.Errorf("%w: a file of unknown type %#o", ErrMember, m.Mode&unix.S_IFMT)
	}
	hdr.PAXRecords = records(m)
	return hdr, nil
}

// records returns a member's attributes as those of an extended header: nil without any.
func records(m *Member) map[string]string {
	if len(m.Xattrs)+len(m.Named) == 0 {
		return nil
	}
	all := make(map[string]string, len(m.Xattrs)+len(m.Named))
	for name, value := range m.Xattrs {
		all[paxXattr+escape.Replace(name)] = value
	}
	for name, text := range m.Named {
		key := paxACL
		if name == XattrDefaultACL {
			key = paxDefaultACL
		}
		all[key] = text
	}
	return all
}

func join(dir, name string) string {
	if dir == "" {
		return name
	}
	return dir + "/" + name
}
