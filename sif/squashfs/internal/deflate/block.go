package deflate

import "math/bits"

// codes are the Huffman codes of a block, and the code lengths as they are sent.
type codes struct {
	lit, dist, lens code
	fixedLit        code
	fixedDist       code
	fixed           bool // the fixed codes are there
	runs            []run
	lenFreq         [maxLens]uint32
}

// run is a symbol of the code for code lengths with its extra bits.
type run struct {
	symbol, extra uint8
}

// lensOrder is the order in which the lengths of the code for code lengths are sent (RFC 1951, 3.2.7).
var lensOrder = [maxLens]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

// lengthSymbol returns the symbol of a match length.
func lengthSymbol(length int) int {
	switch {
	case length == maxMatch:
		return 285
	case length < 11:
		return 254 + length
	}
	extra := bits.Len(uint(length-3)) - 3
	return 257 + 4*extra + (length-3)>>extra
}

// lengthExtra returns the number of extra bits of a length symbol and the length that it starts at.
func lengthExtra(symbol int) (extra uint, start int) {
	if symbol < 265 || symbol == 285 {
		return 0, 0
	}
	extra = uint(symbol-261) / 4
	return extra, 3 + (4+(symbol-261)%4)<<extra
}

func distanceSymbol(distance int) int {
	d := uint(distance - 1)
	if d < 4 {
		return int(d)
	}
	extra := bits.Len(d) - 2
	return 2*extra + int(d>>extra)
}

func distanceExtra(symbol int) (extra uint, start int) {
	if symbol < 4 {
		return 0, 0
	}
	extra = uint(symbol)/2 - 1
	return extra, 1 + (2+symbol&1)<<extra
}

// writeBlock writes the tokens, which stand for raw, in the shortest of the three kinds of blocks.
func (e *Encoder) writeBlock(raw []byte, last bool) {
	final := uint64(0)
	if last {
		final = 1
	}
	e.lit[endOfBlock]++
	c := &e.codes
	if !c.fixed {
		c.buildFixed()
	}
	c.lit.build(e.lit[:], maxCode)
	c.dist.build(e.dist[:], maxCode)
	numLit, numDist, numLens, dynamic := c.buildLens()
	dynamic += e.cost(&c.lit, &c.dist)
	fixed := e.cost(&c.fixedLit, &c.fixedDist)
	// A stored block has 65535 bytes at most, each behind a header of 5.
	stored := (len(raw) + 5*(len(raw)/65535+1)) * 8
	switch {
	case stored <= min(dynamic, fixed):
		e.writeStored(raw, final)
	case fixed <= dynamic:
		e.out.put(final|1<<1, 3)
		e.writeTokens(&c.fixedLit, &c.fixedDist)
	default:
		e.out.put(final|2<<1, 3)
		e.out.put(uint64(numLit-257)|uint64(numDist-1)<<5|uint64(numLens-4)<<10, 14)
		for _, s := range lensOrder[:numLens] {
			e.out.put(uint64(c.lens.lens[s]), 3)
		}
		for _, r := range c.runs {
			e.out.put(uint64(c.lens.bits[r.symbol]), uint(c.lens.lens[r.symbol]))
			e.out.put(uint64(r.extra), runExtra(r.symbol))
		}
		e.writeTokens(&c.lit, &c.dist)
	}
}

// cost is the size of the tokens in bits with these codes.
func (e *Encoder) cost(lit, dist *code) int {
	n := 0
	for s, f := range e.lit {
		n += int(f) * int(lit.lens[s])
		if s > endOfBlock && f > 0 {
			extra, _ := lengthExtra(s)
			n += int(f) * int(extra)
		}
	}
	for s, f := range e.dist {
		extra, _ := distanceExtra(s)
		n += int(f) * (int(dist.lens[s]) + int(extra))
	}
	return n
}

func (e *Encoder) writeTokens(lit, dist *code) {
	w := &e.out
	for _, t := range e.tokens {
		if t&isMatch == 0 {
			w.put(uint64(lit.bits[t]), uint(lit.lens[t]))
			continue
		}
		length, distance := int(t>>16&0x1ff), int(t&0xffff)+1
		s := lengthSymbol(length)
		w.put(uint64(lit.bits[s]), uint(lit.lens[s]))
		if extra, start := lengthExtra(s); extra > 0 {
			w.put(uint64(length-start), extra)
		}
		s = distanceSymbol(distance)
		w.put(uint64(dist.bits[s]), uint(dist.lens[s]))
		if extra, start := distanceExtra(s); extra > 0 {
			w.put(uint64(distance-start), extra)
		}
	}
	w.put(uint64(lit.bits[endOfBlock]), uint(lit.lens[endOfBlock]))
}

func (e *Encoder) writeStored(raw []byte, final uint64) {
	for {
		n := min(len(raw), 65535)
		last := uint64(0)
		if n == len(raw) {
			last = final
		}
		e.out.put(last, 3)
		e.out.align()
		e.out.bytes(byte(n), byte(n>>8), ^byte(n), ^byte(n>>8))
		e.out.bytes(raw[:n]...)
		if raw = raw[n:]; len(raw) == 0 {
			return
		}
	}
}

// buildLens makes the runs of code lengths and the code for them; size is theirs in bits.
func (c *codes) buildLens() (numLit, numDist, numLens, size int) {
	numLit, numDist = maxLit, maxDist
	for numLit > 257 && c.lit.lens[numLit-1] == 0 {
		numLit--
	}
	for numDist > 1 && c.dist.lens[numDist-1] == 0 {
		numDist--
	}
	var lens [maxLit + maxDist]uint8
	copy(lens[:], c.lit.lens[:numLit])
	copy(lens[numLit:], c.dist.lens[:numDist])
	c.runs = c.runs[:0]
	clear(c.lenFreq[:])
	for b := lens[:numLit+numDist]; len(b) > 0; {
		n := 1
		for n < len(b) && b[n] == b[0] {
			n++
		}
		c.addRun(b[0], n)
		b = b[n:]
	}
	c.lens.build(c.lenFreq[:], maxLenCode)
	numLens = maxLens
	for numLens > 4 && c.lens.lens[lensOrder[numLens-1]] == 0 {
		numLens--
	}
	size = 14 + 3*numLens
	for _, r := range c.runs {
		size += int(c.lens.lens[r.symbol]) + int(runExtra(r.symbol))
	}
	return numLit, numDist, numLens, size
}

// addRun adds n equal code lengths.
func (c *codes) addRun(length uint8, n int) {
	add := func(symbol uint8, extra int) {
		c.runs = append(c.runs, run{symbol, uint8(extra)})
		c.lenFreq[symbol]++
	}
	if length == 0 {
		for ; n >= 11; n -= min(n, 138) {
			add(18, min(n, 138)-11)
		}
		if n >= 3 {
			add(17, n-3)
			n = 0
		}
	} else if n >= 4 {
		add(length, 0)
		for n--; n >= 3; n -= min(n, 6) {
			add(16, min(n, 6)-3)
		}
	}
	for ; n > 0; n-- {
		add(length, 0)
	}
}

func runExtra(symbol uint8) uint {
	switch symbol {
	case 16:
		return 2
	case 17:
		return 3
	case 18:
		return 7
	}
	return 0
}

// buildFixed makes the codes of RFC 1951, 3.2.6.
func (c *codes) buildFixed() {
	c.fixed = true
	var next [10]uint16
	next[7], next[8], next[9] = 0, 0x30, 0x190
	for s := range c.fixedLit.lens {
		l := uint8(8)
		switch {
		case s >= 144 && s < 256:
			l = 9
		case s >= 256 && s < 280:
			l = 7
		}
		c.fixedLit.lens[s] = l
		c.fixedLit.bits[s] = bits.Reverse16(next[l]) >> (16 - l)
		next[l]++
	}
	for s := range maxDist {
		c.fixedDist.lens[s] = 5
		c.fixedDist.bits[s] = bits.Reverse16(uint16(s)) >> 11
	}
}
