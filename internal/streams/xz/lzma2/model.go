package lzma2

// Constants of the range coder: a probability is that of a 0, in units of 1/2048, and moves by a 32nd of what is
// missing to certainty with each bit.
const (
	probBits = 11
	probInit = 1 << (probBits - 1)
	move     = 5
	topValue = 1 << 24 // below it, the range takes in another byte
)

// Sizes of the model.
const (
	states    = 16 // twelve are used; powers of two spare checks of bounds
	positions = 16 // 1 << the largest pb
	litSize   = 0x300
	minMatch  = 2
)

// lengths is the model of a match's length: 2 to 9 and 10 to 17 by position, and 18 to 273.
type lengths struct {
	choice, choice2 uint16
	low, mid        [positions * 8]uint16
	high            [256]uint16
}

// model is all that the coder has learned.
type model struct {
	isMatch    [states * positions]uint16
	isRep0Long [states * positions]uint16
	isRep      [states]uint16
	isRepG0    [states]uint16
	isRepG1    [states]uint16
	isRepG2    [states]uint16
	slot       [4 * 64]uint16 // of a distance, by the match's length
	special    [128]uint16    // the lower bits of near distances
	align      [16]uint16     // the lowest four bits of far ones
	length     lengths
	repLength  lengths
	literal    [16*litSize + 0x100]uint16 // by the byte before and the position; the rest spares checks of bounds
}

func (m *model) reset() {
	for _, p := range [][]uint16{
		m.isMatch[:], m.isRep0Long[:], m.isRep[:], m.isRepG0[:], m.isRepG1[:], m.isRepG2[:],
		m.slot[:], m.special[:], m.align[:], m.literal[:],
	} {
		fill(p)
	}
	m.length.reset()
	m.repLength.reset()
}

func (l *lengths) reset() {
	l.choice, l.choice2 = probInit, probInit
	fill(l.low[:])
	fill(l.mid[:])
	fill(l.high[:])
}

func fill(p []uint16) {
	for i := range p {
		p[i] = probInit
	}
}

// The state is what the last symbols were: below 7 a literal was the last of them.
const litStates = 7

// afterLiteral is the state that a literal leads to.
var afterLiteral = [states]uint8{0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 4, 5}

// afterMatch is the state that a match leads to: one after a literal, another after anything else.
func afterMatch(state, afterLit, afterOther uint) uint {
	if state < litStates {
		return afterLit
	}
	return afterOther
}

// afterRepeated is the state that a repeated match of n bytes leads to.
func afterRepeated(state, n uint) uint {
	if n == 1 {
		return afterMatch(state, 9, 11)
	}
	return afterMatch(state, 8, 11)
}
