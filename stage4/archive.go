package stage4

import (
	"bufio"
	"io"

	"xtoo/layers"
)

const (
	// blocking is what the length of the tar stream is a multiple of, in bytes, as GNU tar writes it.
	blocking = 20 * 512
	// copyBuffer is how much is copied at a time.
	copyBuffer = 256 << 10
)

// An archive writes the tar stream, and a line of the listing for each member.
type archive struct {
	w     io.Writer
	n     int64 // bytes so far
	tar   *layers.Writer
	list  *bufio.Writer
	lines lines
	buf   []byte
}

func newArchive(w io.Writer, list *bufio.Writer) *archive {
	a := &archive{w: w, list: list, buf: make([]byte, copyBuffer)}
	a.tar = layers.NewStageWriter(archiveCounter{a})
	return a
}

// archiveCounter counts what the archive writes.
type archiveCounter struct{ a *archive }

func (c archiveCounter) Write(p []byte) (int, error) {
	n, err := c.a.w.Write(p)
	c.a.n += int64(n)
	return n, err
}

// add writes a member, with the data of a regular file.
func (a *archive) add(m *layers.Member, data io.Reader) error {
	if err := a.tar.WriteMember(m); err != nil {
		return err
	}
	if m.IsRegular() && m.Size > 0 {
		if _, err := io.CopyBuffer(struct{ io.Writer }{a.tar}, struct{ io.Reader }{data}, a.buf); err != nil {
			return err
		}
	}
	_, err := a.list.Write(a.lines.of(m))
	return err
}

// link writes a hard link to what stands in the archive as target, and says of itself what m says.
func (a *archive) link(path, target string, m *layers.Member) error {
	l := &layers.Member{Kind: layers.HardLink, Path: path, Target: target, Mode: m.Mode, UID: m.UID, GID: m.GID, ModTime: m.ModTime}
	if err := a.tar.WriteMember(l); err != nil {
		return err
	}
	_, err := a.list.Write(a.lines.of(l))
	return err
}

// end writes the end of the stream.
func (a *archive) end() error {
	if err := a.tar.Close(); err != nil {
		return err
	}
	if rest := a.n % blocking; rest > 0 {
		if _, err := a.w.Write(make([]byte, blocking-rest)); err != nil {
			return err
		}
	}
	return a.list.Flush()
}
