package deflate

// splitter decides where a deflate block ends: where what comes differs from what the block had so far.
// It counts eight kinds of literals and two of matches, and looks at them every 512.
type splitter struct {
	old, new       [10]uint32
	numOld, numNew uint32
}

const (
	splitEvery  = 512
	splitMin    = 5000 // bytes: a shorter block does not pay for its codes
	splitCutoff = 200  // in 512ths: a difference of this much ends the block
)

func (s *splitter) literal(b byte) {
	s.new[b>>5&6|b&1]++
	s.numNew++
}

func (s *splitter) match(length int) {
	if length >= 9 {
		s.new[9]++
	} else {
		s.new[8]++
	}
	s.numNew++
}

// end says whether the block ends here, where it has so many bytes, and so many are left.
func (s *splitter) end(length, left int) bool {
	if s.numNew < splitEvery || length < splitMin || left < splitMin {
		return false
	}
	if s.numOld > 0 {
		var delta uint64
		for i := range s.old {
			expected, actual := uint64(s.old[i])*uint64(s.numNew), uint64(s.new[i])*uint64(s.numOld)
			delta += max(expected, actual) - min(expected, actual)
		}
		items := uint64(s.numOld + s.numNew)
		cutoff := uint64(s.numNew) * splitCutoff / 512 * uint64(s.numOld)
		if length < 10000 && items < 8192 {
			cutoff += cutoff * (8192 - items) / 8192 // short blocks end less easily
		}
		if delta+uint64(length/4096)*uint64(s.numOld) >= cutoff {
			return true
		}
	}
	for i, n := range s.new {
		s.old[i] += n
	}
	s.numOld += s.numNew
	s.new, s.numNew = [10]uint32{}, 0
	return false
}
