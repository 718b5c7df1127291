package lzma2

import "encoding/binary"

// A coder is the state of the range decoder. It is passed by value so that it stays in registers; with 64 bits instead
// of 32 a difference shows its sign.
type coder struct {
	rng, code uint64
	pos       int // of the next byte of the chunk
}

// norm takes in a byte when the range has become small.
func (d *Decoder) norm(rng, code uint64, pos int) (uint64, uint64, int) {
	if rng < topValue {
		return rng << 8, code<<8 | uint64(d.in[pos]), pos + 1
	}
	return rng, code, pos
}

// step decodes one bit without a branch, which would be mispredicted as often as not: the compiler makes conditional moves of
// both ifs.
func step(rng, code uint64, p *uint16) (newRange, newCode, bit uint64) {
	v := uint64(*p)
	bound := rng >> probBits * v
	if code >= bound {
		bit = 1
	}
	up := uint64(0)
	newRange, newCode = rng-bound, code-bound
	if code < bound {
		newRange, newCode, up = bound, code, 1<<probBits-(1<<move-1)
	}
	*p = uint16(v - uint64(int64(v-up)>>move)) // what zero and one do
	return newRange, newCode, bit
}

// zero and one move a probability where the bit decides what follows, and so is a branch in any case.
func zero(p *uint16) { *p += (1<<probBits - *p) >> move }
func one(p *uint16)  { *p -= *p >> move }

// decode decodes the chunk in d.in into d.buf[d.op:limit].
func (d *Decoder) decode(limit int) error {
	c := coder{rng: 0xffffffff, code: uint64(binary.BigEndian.Uint32(d.in[1:])), pos: 5}
	if d.in[0] != 0 || c.code == c.rng || d.inEnd < c.pos { // no encoder writes these
		return errBits
	}
	d.limit = limit
	m := &d.model
	op, state := d.op, d.state
	for op < d.limit {
		if c.pos > d.inEnd {
			return errBits
		}
		posState := uint(op) & d.pbMask
		p := &m.isMatch[(state*positions|posState)&0xff]
		c.rng, c.code, c.pos = d.norm(c.rng, c.code, c.pos)
		bound := c.rng >> probBits * uint64(*p)
		if c.code < bound {
			c.rng = bound
			zero(p)
			var sym uint
			probs := d.literalProbs(op)
			if state < litStates {
				c, sym = d.literal(c, probs)
			} else {
				c, sym = d.mismatched(c, probs, uint(d.buf[uint(op)-d.rep0-1]))
			}
			d.buf[op] = byte(sym)
			op++
			state = uint(afterLiteral[state&15])
			continue
		}
		c.rng -= bound
		c.code -= bound
		one(p)

		var n uint
		p = &m.isRep[state&15]
		c.rng, c.code, c.pos = d.norm(c.rng, c.code, c.pos)
		if bound := c.rng >> probBits * uint64(*p); c.code < bound {
			c.rng = bound
			zero(p)
			d.rep3, d.rep2, d.rep1 = d.rep2, d.rep1, d.rep0
			c, n = d.matchLength(c, &m.length, posState)
			c, d.rep0 = d.distance(c, n)
			state = afterMatch(state, 7, 10)
		} else {
			c.rng -= bound
			c.code -= bound
			one(p)
			c, n = d.repeated(c, state, posState)
			state = afterRepeated(state, n)
		}
		if d.rep0 >= uint(op) || d.rep0 >= d.dictSize || n > uint(d.limit-op) {
			return errBits
		}
		op = d.copyMatch(op, int(n))
	}
	c.rng, c.code, c.pos = d.norm(c.rng, c.code, c.pos)
	if c.pos != d.inEnd || c.code != 0 {
		return errBits
	}
	d.op, d.state = op, state
	return nil
}

// literalProbs is the part of the model for a literal at op.
func (d *Decoder) literalProbs(op int) *[0x400]uint16 {
	prev := uint(0)
	if op > 0 {
		prev = uint(d.buf[op-1])
	}
	off := ((uint(op)&d.lpMask)<<d.lc + prev>>(8-d.lc)) * litSize
	return (*[0x400]uint16)(d.model.literal[off:])
}

// literal decodes the eight bits of a literal, below a leading 1. (The masks change nothing: they tell the compiler that no index is
// out of bounds. Unrolled they are constants.)
func (d *Decoder) literal(c coder, probs *[0x400]uint16) (coder, uint) {
	var bit uint64
	rng, code, pos := c.rng, c.code, c.pos

	rng, code, pos = d.norm(rng, code, pos)
	rng, code, bit = step(rng, code, &probs[1])
	sym := 2 + uint(bit)

	rng, code, pos = d.norm(rng, code, pos)
	rng, code, bit = step(rng, code, &probs[sym&3])
	sym = sym<<1 + uint(bit)

	rng, code, pos = d.norm(rng, code, pos)
	rng, code, bit = step(rng, code, &probs[sym&7])
	sym = sym<<1 + uint(bit)

	rng, code, pos = d.norm(rng, code, pos)
	rng, code, bit = step(rng, code, &probs[sym&15])
	sym = sym<<1 + uint(bit)

	rng, code, pos = d.norm(rng, code, pos)
	rng, code, bit = step(rng, code, &probs[sym&31])
	sym = sym<<1 + uint(bit)

	rng, code, pos = d.norm(rng, code, pos)
	rng, code, bit = step(rng, code, &probs[sym&63])
	sym = sym<<1 + uint(bit)

	rng, code, pos = d.norm(rng, code, pos)
	rng, code, bit = step(rng, code, &probs[sym&127])
	sym = sym<<1 + uint(bit)

	rng, code, pos = d.norm(rng, code, pos)
	rng, code, bit = step(rng, code, &probs[sym&255])
	sym = sym<<1 + uint(bit)
	return coder{rng, code, pos}, sym
}

// mismatched decodes a literal after a match, which is not the byte that would have gone on with the match: as long as
// the bits are those of that byte, they have probabilities of their own.
func (d *Decoder) mismatched(c coder, probs *[0x400]uint16, match uint) (coder, uint) {
	var bit uint64
	offset, sym := uint(0x100), uint(1)
	rng, code, pos := c.rng, c.code, c.pos
	match <<= 1
	mb := match & offset
	rng, code, pos = d.norm(rng, code, pos)
	rng, code, bit = step(rng, code, &probs[(offset+mb+sym)&0x3ff])
	offset &= mb ^ (uint(bit) - 1)
	sym = sym<<1 + uint(bit)
	match <<= 1
	mb = match & offset
	rng, code, pos = d.norm(rng, code, pos)
	rng, code, bit = step(rng, code, &probs[(offset+mb+sym)&0x3ff])
	offset &= mb ^ (uint(bit) - 1)
	sym = sym<<1 + uint(bit)
	match <<= 1
	mb = match & offset
	rng, code, pos = d.norm(rng, code, pos)
	rng, code, bit = step(rng, code, &probs[(offset+mb+sym)&0x3ff])
	offset &= mb ^ (uint(bit) - 1)
	sym = sym<<1 + uint(bit)
	match <<= 1
	mb = match & offset
	rng, code, pos = d.norm(rng, code, pos)
	rng, code, bit = step(rng, code, &probs[(offset+mb+sym)&0x3ff])
	offset &= mb ^ (uint(bit) - 1)
	sym = sym<<1 + uint(bit)
	match <<= 1
	mb = match & offset
	rng, code, pos = d.norm(rng, code, pos)
	rng, code, bit = step(rng, code, &probs[(offset+mb+sym)&0x3ff])
	offset &= mb ^ (uint(bit) - 1)
	sym = sym<<1 + uint(bit)
	match <<= 1
	mb = match & offset
	rng, code, pos = d.norm(rng, code, pos)
	rng, code, bit = step(rng, code, &probs[(offset+mb+sym)&0x3ff])
	offset &= mb ^ (uint(bit) - 1)
	sym = sym<<1 + uint(bit)
	match <<= 1
	mb = match & offset
	rng, code, pos = d.norm(rng, code, pos)
	rng, code, bit = step(rng, code, &probs[(offset+mb+sym)&0x3ff])
	offset &= mb ^ (uint(bit) - 1)
	sym = sym<<1 + uint(bit)
	match <<= 1
	mb = match & offset
	rng, code, pos = d.norm(rng, code, pos)
	rng, code, bit = step(rng, code, &probs[(offset+mb+sym)&0x3ff])
	sym = sym<<1 + uint(bit)
	return coder{rng, code, pos}, sym
}

// matchLength decodes the length of a match.
func (d *Decoder) matchLength(c coder, l *lengths, posState uint) (coder, uint) {
	var bit uint64
	sym := uint(1)
	rng, code, pos := d.norm(c.rng, c.code, c.pos)
	t := (*[8]uint16)(l.low[posState*8&0x78:])
	first := uint(minMatch)
	if bound := rng >> probBits * uint64(l.choice); code < bound {
		rng = bound
		zero(&l.choice)
	} else {
		rng -= bound
		code -= bound
		one(&l.choice)
		rng, code, pos = d.norm(rng, code, pos)
		if bound := rng >> probBits * uint64(l.choice2); code < bound {
			rng = bound
			zero(&l.choice2)
			t = (*[8]uint16)(l.mid[posState*8&0x78:])
			first = minMatch + 8
		} else {
			rng -= bound
			code -= bound
			one(&l.choice2)
			for sym < 256 {
				rng, code, pos = d.norm(rng, code, pos)
				rng, code, bit = step(rng, code, &l.high[sym&255])
				sym = sym<<1 + uint(bit)
			}
			return coder{rng, code, pos}, sym - 256 + minMatch + 16
		}
	}
	rng, code, pos = d.norm(rng, code, pos)
	rng, code, bit = step(rng, code, &t[1])
	sym = 2 + uint(bit)
	rng, code, pos = d.norm(rng, code, pos)
	rng, code, bit = step(rng, code, &t[sym&3])
	sym = sym<<1 + uint(bit)
	rng, code, pos = d.norm(rng, code, pos)
	rng, code, bit = step(rng, code, &t[sym&7])
	sym = sym<<1 + uint(bit)
	return coder{rng, code, pos}, sym - 8 + first
}

// distance decodes the distance of a match of n bytes.
func (d *Decoder) distance(c coder, n uint) (coder, uint) {
	var bit uint64
	rng, code, pos := c.rng, c.code, c.pos
	t := (*[64]uint16)(d.model.slot[min(n-minMatch, 3)*64&0xc0:])
	rng, code, pos = d.norm(rng, code, pos)
	rng, code, bit = step(rng, code, &t[1])
	sym := 2 + uint(bit)
	rng, code, pos = d.norm(rng, code, pos)
	rng, code, bit = step(rng, code, &t[sym&3])
	sym = sym<<1 + uint(bit)
	rng, code, pos = d.norm(rng, code, pos)
	rng, code, bit = step(rng, code, &t[sym&7])
	sym = sym<<1 + uint(bit)
	rng, code, pos = d.norm(rng, code, pos)
	rng, code, bit = step(rng, code, &t[sym&15])
	sym = sym<<1 + uint(bit)
	rng, code, pos = d.norm(rng, code, pos)
	rng, code, bit = step(rng, code, &t[sym&31])
	sym = sym<<1 + uint(bit)
	rng, code, pos = d.norm(rng, code, pos)
	rng, code, bit = step(rng, code, &t[sym&63])
	sym = sym<<1 + uint(bit)
	slot := sym - 64
	if slot < 4 {
		return coder{rng, code, pos}, slot
	}
	bits := slot>>1 - 1
	dist := 2 | slot&1
	if slot < 14 {
		dist <<= bits
		base := dist - slot
		sym = 1
		for i := uint(0); i < bits; i++ {
			rng, code, pos = d.norm(rng, code, pos)
			rng, code, bit = step(rng, code, &d.model.special[(base+sym)&127])
			sym = sym<<1 + uint(bit)
			dist += uint(bit) << (i & 31)
		}
		return coder{rng, code, pos}, dist
	}
	for bits -= 4; bits > 0; bits-- {
		rng, code, pos = d.norm(rng, code, pos)
		rng >>= 1
		code -= rng
		mask := uint64(int64(code) >> 63) // all ones for a 0
		code += rng & mask
		dist = dist<<1 + 1 + uint(mask)
	}
	dist <<= 4
	sym = 1
	for i := range 4 {
		rng, code, pos = d.norm(rng, code, pos)
		rng, code, bit = step(rng, code, &d.model.align[sym&15])
		sym = sym<<1 + uint(bit)
		dist += uint(bit) << i
	}
	return coder{rng, code, pos}, dist
}

// repeated decodes which of the last distances a match has, makes it the last one, and decodes the length.
func (d *Decoder) repeated(c coder, state, posState uint) (coder, uint) {
	m := &d.model
	rng, code, pos := d.norm(c.rng, c.code, c.pos)
	p := &m.isRepG0[state&15]
	if bound := rng >> probBits * uint64(*p); code < bound {
		rng = bound
		zero(p)
		p = &m.isRep0Long[(state*positions|posState)&0xff]
		rng, code, pos = d.norm(rng, code, pos)
		bound = rng >> probBits * uint64(*p)
		if code < bound {
			zero(p)
			return coder{bound, code, pos}, 1
		}
		rng -= bound
		code -= bound
		one(p)
	} else {
		rng -= bound
		code -= bound
		one(p)
		p = &m.isRepG1[state&15]
		rng, code, pos = d.norm(rng, code, pos)
		if bound := rng >> probBits * uint64(*p); code < bound {
			rng = bound
			zero(p)
			d.rep0, d.rep1 = d.rep1, d.rep0
		} else {
			rng -= bound
			code -= bound
			one(p)
			p = &m.isRepG2[state&15]
			rng, code, pos = d.norm(rng, code, pos)
			if bound := rng >> probBits * uint64(*p); code < bound {
				rng = bound
				zero(p)
				d.rep0, d.rep1, d.rep2 = d.rep2, d.rep0, d.rep1
			} else {
				rng -= bound
				code -= bound
				one(p)
				d.rep0, d.rep1, d.rep2, d.rep3 = d.rep3, d.rep0, d.rep1, d.rep2
			}
		}
	}
	return d.matchLength(coder{rng, code, pos}, &m.repLength, posState)
}

// copyMatch copies n bytes from rep0 bytes before. It may write up to slack bytes more.
func (d *Decoder) copyMatch(op, n int) int {
	src := op - int(d.rep0) - 1
	end := op + n
	if d.rep0 < 15 {
		for op < end {
			d.buf[op] = d.buf[src]
			op++
			src++
		}
		return end
	}
	for op < end {
		*(*[16]byte)(d.buf[op:]) = *(*[16]byte)(d.buf[src:])
		op += 16
		src += 16
	}
	return end
}
