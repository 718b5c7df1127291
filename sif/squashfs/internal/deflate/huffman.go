package deflate

import (
	"math/bits"
	"slices"
)

const (
	maxLit     = 286 // literals, the end of a block, lengths
	maxDist    = 30
	maxLens    = 19
	endOfBlock = 256
	maxCode    = 15 // bits
	maxLenCode = 7  // bits of the code for code lengths
)

// code is a Huffman code: for each symbol its bits, in the order of writing, and their number.
type code struct {
	bits [maxLit]uint16
	lens [maxLit]uint8
}

// build makes the best code for the frequencies with at most limit bits a symbol. Symbols that do not
// occur get none, but a code has two symbols at least, as some readers want.
func (c *code) build(freq []uint32, limit int) {
	clear(c.lens[:])
	var used [maxLit]uint64 // frequency << 16 | symbol
	n := 0
	for s, f := range freq {
		if f > 0 {
			used[n] = uint64(f)<<16 | uint64(s)
			n++
		}
	}
	for s := 0; n < 2; s++ {
		if freq[s] == 0 {
			used[n] = 1<<16 | uint64(s)
			n++
		}
	}
	slices.Sort(used[:n])
	var counts [maxCode + 1]int
	countLengths(used[:n], &counts, limit)
	i := 0 // the rarest symbols get the longest codes
	for l := limit; l > 0; l-- {
		for range counts[l] {
			c.lens[used[i]&0xffff] = uint8(l)
			i++
		}
	}
	var next [maxCode + 2]uint16
	for l := 1; l <= limit; l++ {
		next[l+1] = (next[l] + uint16(counts[l])) << 1
	}
	for s := range freq {
		if l := c.lens[s]; l > 0 {
			c.bits[s] = bits.Reverse16(next[l]) >> (16 - l)
			next[l]++
		}
	}
}

// countLengths counts how many symbols, sorted by frequency, get codes of each length: the lengths of a
// Huffman tree built in place (Moffat and Katajainen), then the tree is bent until none is too long.
func countLengths(used []uint64, counts *[maxCode + 1]int, limit int) {
	n := len(used)
	var a [maxLit]uint32
	for i, u := range used {
		a[i] = uint32(u >> 16)
	}
	leaf, root := 0, 0
	for next := range n - 1 {
		var sum uint32
		for range 2 {
			if leaf >= n || root < next && a[root] < a[leaf] {
				sum += a[root]
				a[root] = uint32(next)
				root++
			} else {
				sum += a[leaf]
				leaf++
			}
		}
		a[next] = sum
	}
	// Depths of the inner nodes, then of the leaves.
	a[n-2] = 0
	for i := n - 3; i >= 0; i-- {
		a[i] = a[a[i]] + 1
	}
	avail, inner, depth := 1, n-2, uint32(0)
	for avail > 0 {
		here := 0
		for inner >= 0 && a[inner] == depth {
			here++
			inner--
		}
		counts[min(int(depth), limit)] += avail - here
		avail = 2 * here
		depth++
	}
	// Codes that were too long are too short now: lengthen others until they fit.
	total := 0
	for l := 1; l <= limit; l++ {
		total += counts[l] << (limit - l)
	}
	for ; total > 1<<limit; total-- {
		counts[limit]--
		for l := limit - 1; l > 0; l-- {
			if counts[l] > 0 {
				counts[l]--
				counts[l+1] += 2
				break
			}
		}
	}
}
