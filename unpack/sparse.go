package unpack

import (
	"archive/tar"
	"strconv"
	"strings"
)

// The sparse map of an old GNU header: four pieces in the header, 21 in each continuation block, each
// an offset and a length of 12 bytes.
const (
	sparseInHeader   = 386
	sparsePieces     = 4
	sparseMorePieces = 21
	sparsePieceSize  = 24
)

// sparseDataFits verifies that the pieces of a sparse file are together as long as the data that is
// there for them; archive/tar verifies all else about the map, but this only after having read the
// data. blocks are the header block and its continuation, text is a map that is kept in the data.
func (m *member) sparseDataFits(kind byte, blocks, text []byte) bool {
	left := m.size - int64(len(text))
	take := func(n int64, ok bool) bool {
		left -= n
		return ok && n >= 0 && left >= 0
	}
	switch {
	case kind == tar.TypeGNUSparse:
		pieces := blocks[sparseInHeader:][:sparsePieces*sparsePieceSize]
		for {
			for ; len(pieces) > 0 && pieces[0] != 0; pieces = pieces[sparsePieceSize:] {
				if !take(parseNumber(pieces[sparsePieceSize/2 : sparsePieceSize])) {
					return false
				}
			}
			if blocks = blocks[blockSize:]; len(blocks) == 0 {
				return left == 0
			}
			pieces = blocks[:sparseMorePieces*sparsePieceSize]
		}
	case len(text) > 0: // version 1.0: the number of pieces, then offsets and lengths
		lines := strings.Split(string(text), "\n")
		pieces, ok := parseDecimal(lines[0])
		if !ok || pieces < 0 || pieces > int64(len(lines)-1)/2 {
			return false
		}
		for i := range pieces {
			if !take(parseDecimal(lines[2*i+2])) {
				return false
			}
		}
		return left == 0
	default: // versions 0.0, which archive/tar makes 0.1 of, and 0.1
		list := strings.Split(m.hdr.PAXRecords["GNU.sparse.map"], ",")
		for i := 1; i < len(list); i += 2 {
			if !take(parseDecimal(list[i])) {
				return false
			}
		}
		return left == 0
	}
}

func parseDecimal(s string) (int64, bool) {
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}
