package lzma2

// farther says whether one distance is so much larger than another that a byte more of a match is not worth it.
func farther(small, big uint32) bool { return big>>7 > small }

// matches returns what is found at pos, which is looked at once.
func (e *Encoder) matches() []match {
	if e.known {
		e.known = false
		return e.ahead
	}
	return e.finder.find(e.pos)
}

// choose decides what is encoded next: one byte as a literal, or n bytes of a match: back is which of the last four
// distances, or 4 and the distance. It looks one byte ahead, as the fast mode of xz does: what is cheap is known by rule,
// no prices are kept.
func (e *Encoder) choose() (n, back uint32) {
	found := e.matches()
	left := len(e.data) - e.pos
	if left < minMatch {
		return 1, 0
	}
	repLen, repWhich := e.longestRepeated()
	if repLen >= niceMatch {
		e.finder.skip(e.pos+1, int(repLen)-1)
		return repLen, repWhich
	}
	n, dist := best(found)
	if n >= niceMatch {
		e.finder.skip(e.pos+1, int(n)-1)
		return n, dist + 4
	}
	if repLen >= minMatch && (repLen+1 >= n || repLen+2 >= n && dist > 1<<9 || repLen+3 >= n && dist > 1<<15) {
		e.finder.skip(e.pos+1, int(repLen)-1)
		return repLen, repWhich
	}
	if n < minMatch || left <= minMatch {
		return 1, 0
	}
	// The places behind this one: what begins there may be better.
	e.ahead, e.known = e.finder.find(e.pos+1), true
	if e.waits(n, dist) {
		return 1, 0
	}
	e.known = false
	e.finder.skip(e.pos+2, int(n)-2)
	return n, dist + 4
}

// longestRepeated is the longest match at one of the last four distances.
func (e *Encoder) longestRepeated() (n, which uint32) {
	for i, dist := range e.rep {
		from := e.pos - int(dist) - 1
		if from < 0 || e.data[from] != e.data[e.pos] || e.data[from+1] != e.data[e.pos+1] {
			continue
		}
		if l := uint32(e.finder.common(e.pos, from)); l > n {
			n, which = l, uint32(i)
		}
	}
	return n, which
}

// best is the match to take of those that were found: the longest, or one that is shorter by few bytes and much nearer.
func best(found []match) (n, dist uint32) {
	i := len(found) - 1
	if i < 0 {
		return 1, 0
	}
	n, dist = found[i].n, found[i].dist
	for ; i > 0 && n == found[i-1].n+1 && farther(found[i-1].dist, dist) && n < niceMatch; i-- {
		n, dist = found[i-1].n, found[i-1].dist
	}
	if n == minMatch && dist >= 0x80 {
		return 1, 0
	}
	return n, dist
}

// waits says whether a literal, and what was found behind it, is better than a match of n bytes.
func (e *Encoder) waits(n, dist uint32) bool {
	if len(e.ahead) > 0 {
		next := e.ahead[len(e.ahead)-1]
		switch {
		case next.n >= n && next.dist < dist,
			next.n == n+1 && !farther(dist, next.dist),
			next.n > n+1,
			next.n+1 >= n && n >= 3 && farther(next.dist, dist):
			return true
		}
	}
	limit := max(minMatch, int(n)-1)
	for _, rep := range e.rep {
		if from := e.pos - int(rep); from >= 1 && e.finder.common(e.pos+1, from) >= limit {
			return true
		}
	}
	return false
}
