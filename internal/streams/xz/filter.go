package xz

import (
	"encoding/binary"
	"errors"
	"io"
)

// Filter IDs, section 5.4 and 5.3.
const (
	idDelta    = 0x03
	idX86      = 0x04
	idPowerPC  = 0x05
	idIA64     = 0x06
	idARM      = 0x07
	idARMThumb = 0x08
	idSPARC    = 0x09
	idARM64    = 0x0a
	idLZMA2    = 0x21
)

// A filter turns data back in place, and returns how many bytes are done: the others need more behind them, and are
// offered again. What is left at the end is as it should be.
type filter interface{ undo(data []byte) int }

// newFilter makes a filter that is not the last: its properties are a distance, or, if any, a start offset.
func newFilter(f filterFlags) (filter, error) {
	if f.id == idDelta {
		if len(f.props) != 1 {
			return nil, ErrOptions
		}
		return &delta{distance: int(f.props[0]) + 1}, nil
	}
	var start uint32
	switch len(f.props) {
	case 0:
	case 4:
		start = binary.LittleEndian.Uint32(f.props)
	default:
		return nil, ErrOptions
	}
	b := &branches{at: start}
	unit := uint32(4) // what the start offset is a multiple of
	switch f.id {
	case idX86:
		return &x86{at: start}, nil
	case idPowerPC:
		b.undoAll = powerPC
	case idIA64:
		b.undoAll, unit = ia64, 16
	case idARM:
		b.undoAll = arm
	case idARMThumb:
		b.undoAll, unit = armThumb, 2
	case idSPARC:
		b.undoAll = sparc
	case idARM64:
		b.undoAll = arm64
	default:
		return nil, ErrOptions
	}
	if start%unit != 0 {
		return nil, ErrOptions
	}
	return b, nil
}

// filtered is what a filter makes of a source.
type filtered struct {
	from   source
	filter filter
	buf    []byte // what was given out, and what is not done
	given  int
	err    error
}

// Next implements source.
func (f *filtered) Next() ([]byte, error) {
	f.buf = f.buf[:copy(f.buf, f.buf[f.given:])]
	f.given = 0
	if f.err != nil {
		return nil, f.err
	}
	var data []byte
	data, f.err = f.from.Next()
	f.buf = append(f.buf, data...)
	if f.err != nil && !errors.Is(f.err, io.EOF) {
		return nil, f.err
	}
	if f.err == nil || len(f.buf) > 0 {
		f.given = f.filter.undo(f.buf)
	}
	if f.err != nil {
		f.given = len(f.buf)
		if f.given > 0 {
			return f.buf, nil
		}
	}
	return f.buf[:f.given], f.err
}

// delta is section 5.3.3: bytes are differences to those some bytes before.
type delta struct {
	distance int
	past     [256]byte
	at       byte
}

func (d *delta) undo(data []byte) int {
	for i, b := range data {
		b += d.past[d.at-byte(d.distance)]
		d.past[d.at] = b
		d.at++
		data[i] = b
	}
	return len(data)
}
