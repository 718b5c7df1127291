package layers

import (
	"errors"
	"fmt"
	"io"
)

// errTooLarge says that a stream from elsewhere holds more than it may: see [Bounds].
var errTooLarge = errors.New("too large")

// Bounds are for what a stream from elsewhere may hold: a few bytes can stand for more than any disk holds, and for years
// of reading. Zero values mean the defaults.
type Bounds struct {
	Members  int64 // default 2 million, which take some 100 MB to keep track of
	FileSize int64 // bytes of one file, holes included; default 64 GiB
	content  int64 // bytes of all files, holes included; default 1 TiB
	Bytes    int64 // of the stream, and of an archive of streams; default 1 TiB
}

// WithDefaults returns the bounds with the defaults in place of zeros.
func (b Bounds) WithDefaults() Bounds {
	for _, v := range []struct {
		of *int64
		is int64
	}{{&b.Members, 2_000_000}, {&b.FileSize, 64 << 30}, {&b.content, 1 << 40}, {&b.Bytes, 1 << 40}} {
		if *v.of <= 0 {
			*v.of = v.is
		}
	}
	return b
}

// A Tally counts what a stream holds.
type Tally struct {
	Bounds           Bounds // with defaults
	members, content int64
}

// Add counts a member. The error says which bound it is beyond.
func (t *Tally) Add(m *Member) error {
	t.members++
	t.content += min(m.Size, t.Bounds.FileSize+1)
	switch {
	case t.members > t.Bounds.Members:
		return fmt.Errorf("%w: more than %d members", errTooLarge, t.Bounds.Members)
	case m.Size > t.Bounds.FileSize:
		return fmt.Errorf("%w: a file of %d bytes, the limit is %d", errTooLarge, m.Size, t.Bounds.FileSize)
	case t.content > t.Bounds.content:
		return fmt.Errorf("%w: files of more than %d bytes in all", errTooLarge, t.Bounds.content)
	}
	return nil
}

// Limit reads r, and returns an error where it has more than n bytes.
func Limit(r io.Reader, n int64) io.Reader { return &limited{r, n} }

type limited struct {
	r    io.Reader
	left int64
}

func (l *limited) Read(p []byte) (int, error) {
	if int64(len(p)) > l.left+1 {
		p = p[:l.left+1]
	}
	n, err := l.r.Read(p)
	if l.left -= int64(n); l.left < 0 {
		return max(n-1, 0), fmt.Errorf("%w: it goes on after the last byte that it may have", errTooLarge)
	}
	return n, err
}
