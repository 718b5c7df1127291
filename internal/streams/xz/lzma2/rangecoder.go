package lzma2

// A rangeEncoder is the encoder's side of a [coder]: bits and what is known of them go in, bytes come out.
type rangeEncoder struct {
	low   uint64 // 33 bits: the highest is a carry into what waits
	rng   uint32
	cache byte // the last byte that may still change, with
	wait  int  // how many bytes wait: it, and the 0xff behind it
	out   []byte
}

func (r *rangeEncoder) reset() {
	*r = rangeEncoder{rng: 0xffffffff, wait: 1, out: r.out[:0]}
}

// size is how many bytes there would be, were this the end.
func (r *rangeEncoder) size() int { return len(r.out) + r.wait + 4 }

func (r *rangeEncoder) shift() {
	if uint32(r.low) < 0xff000000 || r.low > 0xffffffff {
		carry := byte(r.low >> 32)
		for b := r.cache; r.wait > 0; r.wait-- {
			r.out = append(r.out, b+carry)
			b = 0xff
		}
		r.cache = byte(r.low >> 24)
	}
	r.wait++
	r.low = uint64(uint32(r.low) << 8)
}

// bit encodes one bit, and moves its probability.
func (r *rangeEncoder) bit(p *uint16, bit uint32) {
	bound := r.rng >> probBits * uint32(*p)
	if bit == 0 {
		r.rng = bound
		zero(p)
	} else {
		r.low += uint64(bound)
		r.rng -= bound
		one(p)
	}
	if r.rng < topValue {
		r.rng <<= 8
		r.shift()
	}
}

// tree encodes the n bits of v, the highest first, each with the probability that those before it lead to.
func (r *rangeEncoder) tree(probs []uint16, v uint32, n int) {
	for sym := uint32(1); n > 0; {
		n--
		b := v >> n & 1
		r.bit(&probs[sym], b)
		sym = sym<<1 | b
	}
}

// reverse encodes the n bits of v, the lowest first.
func (r *rangeEncoder) reverse(probs []uint16, v uint32, n int) {
	for sym := uint32(1); n > 0; n-- {
		b := v & 1
		v >>= 1
		r.bit(&probs[sym], b)
		sym = sym<<1 | b
	}
}

// direct encodes the n bits of v, of which nothing is known.
func (r *rangeEncoder) direct(v uint32, n int) {
	for n > 0 {
		n--
		r.rng >>= 1
		if v>>n&1 != 0 {
			r.low += uint64(r.rng)
		}
		if r.rng < topValue {
			r.rng <<= 8
			r.shift()
		}
	}
}

// end writes what still waits.
func (r *rangeEncoder) end() {
	for range 5 {
		r.shift()
	}
}
