package lzma2

import (
	"encoding/binary"
	"math/bits"
)

// What the finder looks at. All of it is part of the format: with others the same data become other bytes.
const (
	hash2Bits = 16
	hash3Bits = 16
	hash4Bits = 19
	chainMax  = 12 // how many earlier places are looked at
	niceMatch = 128
	maxMatch  = 273
)

// A match says that the bytes here are those of dist+1 bytes before.
type match struct{ n, dist uint32 }

// A finder finds earlier places with the same bytes: by the hash of four bytes all of them, in chains, and by those of two
// and three the last. Places are counted from 1.
type finder struct {
	data  []byte
	hash2 []uint32
	hash3 []uint32
	hash4 []uint32
	chain []uint32 // by place - 1: the place before it with the same hash
	found []match
}

func (f *finder) reset(data []byte) {
	f.data = data
	if f.hash2 == nil {
		f.hash2, f.hash3, f.hash4 = make([]uint32, 1<<hash2Bits), make([]uint32, 1<<hash3Bits), make([]uint32, 1<<hash4Bits)
	} else {
		clear(f.hash2)
		clear(f.hash3)
		clear(f.hash4)
	}
	if len(f.chain) < len(data) {
		f.chain = make([]uint32, len(data))
	}
}

// enter makes pos known, and returns the last places that begin as it does, or 0. Four bytes have to be there.
func (f *finder) enter(pos int) (two, three, four uint32) {
	v := binary.LittleEndian.Uint32(f.data[pos:])
	h2 := v & (1<<hash2Bits - 1)
	h3 := v << 8 * 506832829 >> (32 - hash3Bits)
	h4 := v * 2654435761 >> (32 - hash4Bits)
	two, three, four = f.hash2[h2], f.hash3[h3], f.hash4[h4]
	here := uint32(pos) + 1
	f.hash2[h2], f.hash3[h3], f.hash4[h4] = here, here, here
	f.chain[pos] = four
	return two, three, four
}

// skip makes n places known, from pos on.
func (f *finder) skip(pos, n int) {
	for end := min(pos+n, len(f.data)-3); pos < end; pos++ {
		f.enter(pos)
	}
}

// find makes pos known and returns what matches there, each longer than the one before it and farther away. It is good
// until the next call.
func (f *finder) find(pos int) []match {
	f.found = f.found[:0]
	if len(f.data)-pos < 4 {
		return nil
	}
	two, three, four := f.enter(pos)
	best := 1
	look := func(place uint32) bool {
		n := f.common(pos, int(place)-1)
		if n > best {
			best = n
			f.found = append(f.found, match{uint32(n), uint32(pos) - place})
		}
		return best < niceMatch
	}
	if two != 0 && !look(two) || three != 0 && three != two && !look(three) {
		return f.found
	}
	limit := min(maxMatch, len(f.data)-pos)
	for range chainMax {
		if four == 0 || best >= limit {
			break
		}
		if at := int(four) - 1; f.data[at+best] == f.data[pos+best] && !look(four) {
			break
		}
		four = f.chain[four-1]
	}
	return f.found
}

// common is how many bytes at two places are the same; a is the later one.
func (f *finder) common(a, b int) int {
	n, limit := 0, min(maxMatch, len(f.data)-a)
	x, y := f.data[a:a+limit], f.data[b:b+limit]
	for n+8 <= limit {
		if diff := binary.LittleEndian.Uint64(x[n:]) ^ binary.LittleEndian.Uint64(y[n:]); diff != 0 {
			return n + bits.TrailingZeros64(diff)/8
		}
		n += 8
	}
	for n < limit && x[n] == y[n] {
		n++
	}
	return n
}
