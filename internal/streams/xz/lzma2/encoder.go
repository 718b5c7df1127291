package lzma2

import "math/bits"

// Limits of a chunk, in bytes, and how much of them one symbol takes at most.
const (
	maxChunkUnpacked = 2 << 20
	maxChunkPacked   = 64 << 10
	maxSymbol        = 64
)

// properties are what the first chunk says: three bits of the byte before a literal count, and two of the position.
const (
	literalBits  = 3
	positionBits = 2
	properties   = (positionBits*5+0)*9 + literalBits
)

// An Encoder packs blocks of data. It keeps its memory, some five bytes for each of the largest block and 3 MB, for the next.
type Encoder struct {
	finder finder
	coder  rangeEncoder
	model  model
	data   []byte
	pos    int // of the next byte to encode
	state  uint
	rep    [4]uint32

	// ahead is what the finder has found at pos, if it has looked there already.
	ahead []match
	known bool
}

// Encode appends a block to dst as LZMA2, to its end marker: a decoder needs a dictionary of its size. The same block gives
// the same bytes. It is shorter than 1 GiB.
func (e *Encoder) Encode(dst, block []byte) []byte {
	e.finder.reset(block)
	e.data, e.pos, e.known = block, 0, false
	fresh, first := true, true // the model is to begin anew; no chunk was encoded yet
	for e.pos < len(block) {
		if fresh {
			e.model.reset()
			e.state, e.rep = 0, [4]uint32{}
		}
		start := e.pos
		packed := e.chunk()
		if n := e.pos - start; len(packed) < n {
			dst = append(dst, control(start == 0, first, fresh)|byte((n-1)>>16), byte((n-1)>>8), byte(n-1), byte((len(packed)-1)>>8), byte(len(packed)-1))
			if first {
				dst = append(dst, properties)
			}
			dst = append(dst, packed...)
			fresh, first = false, false
			continue
		}
		dst = plainChunks(dst, block[start:e.pos], start == 0)
		fresh = true
	}
	return append(dst, 0)
}

// control begins a chunk.
func control(newDictionary, newProperties, newState bool) byte {
	switch {
	case newDictionary:
		return 0xe0
	case newProperties:
		return 0xc0
	case newState:
		return 0xa0
	}
	return 0x80
}

// plainChunks appends data as they are.
func plainChunks(dst, data []byte, newDictionary bool) []byte {
	for len(data) > 0 {
		n := min(len(data), maxChunkPacked)
		c := byte(2)
		if newDictionary {
			c, newDictionary = 1, false
		}
		dst = append(append(dst, c, byte((n-1)>>8), byte(n-1)), data[:n]...)
		data = data[n:]
	}
	return dst
}

// chunk encodes as much as goes into one, and returns it.
func (e *Encoder) chunk() []byte {
	e.coder.reset()
	end := min(len(e.data), e.pos+maxChunkUnpacked-maxMatch)
	for e.pos < end && e.coder.size() < maxChunkPacked-maxSymbol {
		n, back := e.choose()
		switch {
		case n == 1:
			e.literal()
		case back < 4:
			e.repeated(back, n)
		default:
			e.match(back-4, n)
		}
		e.pos += int(n)
	}
	e.coder.end()
	return e.coder.out
}

func (e *Encoder) literal() {
	var prev uint32
	if e.pos > 0 {
		prev = uint32(e.data[e.pos-1])
	}
	e.coder.bit(&e.model.isMatch[e.state*positions|uint(e.pos)&(1<<positionBits-1)], 0)
	probs := (*[litSize]uint16)(e.model.literal[prev>>(8-literalBits)*litSize:])
	sym := uint32(e.data[e.pos]) | 0x100
	if e.state < litStates {
		for sym < 0x10000 {
			e.coder.bit(&probs[sym>>8], sym>>7&1)
			sym <<= 1
		}
	} else {
		other, offset := uint32(e.data[e.pos-int(e.rep[0])-1]), uint32(0x100)
		for sym < 0x10000 {
			other <<= 1
			e.coder.bit(&probs[offset+other&offset+sym>>8], sym>>7&1)
			sym <<= 1
			offset &= ^(other ^ sym)
		}
	}
	e.state = uint(afterLiteral[e.state])
}

// repeated encodes a match at one of the last four distances.
func (e *Encoder) repeated(which, n uint32) {
	place := uint(e.pos) & (1<<positionBits - 1)
	c, m := &e.coder, &e.model
	c.bit(&m.isMatch[e.state*positions|place], 1)
	c.bit(&m.isRep[e.state], 1)
	if which == 0 {
		c.bit(&m.isRepG0[e.state], 0)
		c.bit(&m.isRep0Long[e.state*positions|place], 1)
	} else {
		c.bit(&m.isRepG0[e.state], 1)
		c.bit(&m.isRepG1[e.state], min(which-1, 1))
		if which > 1 {
			c.bit(&m.isRepG2[e.state], which-2)
		}
		dist := e.rep[which]
		copy(e.rep[1:which+1], e.rep[:which])
		e.rep[0] = dist
	}
	e.length(&m.repLength, n, place)
	e.state = afterRepeated(e.state, uint(n))
}

func (e *Encoder) match(dist, n uint32) {
	place := uint(e.pos) & (1<<positionBits - 1)
	c, m := &e.coder, &e.model
	c.bit(&m.isMatch[e.state*positions|place], 1)
	c.bit(&m.isRep[e.state], 0)
	e.length(&m.length, n, place)
	slots := m.slot[min(n-minMatch, 3)*64:]
	e.rep = [4]uint32{dist, e.rep[0], e.rep[1], e.rep[2]}
	e.state = afterMatch(e.state, 7, 10)
	if dist < 4 {
		c.tree(slots, dist, 6)
		return
	}
	low := bits.Len32(dist) - 2 // how many bits follow the highest two
	slot := uint32(low+1)<<1 | dist>>low&1
	c.tree(slots, slot, 6)
	if slot < 14 {
		base := (2|slot&1)<<low - slot
		c.reverse(m.special[base:], dist&(1<<low-1), low)
		return
	}
	c.direct(dist>>4&(1<<(low-4)-1), low-4)
	c.reverse(m.align[:], dist&15, 4)
}

func (e *Encoder) length(l *lengths, n uint32, place uint) {
	n -= minMatch
	switch c := &e.coder; {
	case n < 8:
		c.bit(&l.choice, 0)
		c.tree(l.low[place*8:], n, 3)
	case n < 16:
		c.bit(&l.choice, 1)
		c.bit(&l.choice2, 0)
		c.tree(l.mid[place*8:], n-8, 3)
	default:
		c.bit(&l.choice, 1)
		c.bit(&l.choice2, 1)
		c.tree(l.high[:], n-16, 8)
	}
}
