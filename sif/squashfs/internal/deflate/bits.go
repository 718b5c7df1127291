package deflate

import "encoding/binary"

// bitWriter writes bits, lowest first, into memory that never grows.
type bitWriter struct {
	buf  []byte
	acc  uint64
	n    uint // bits in acc
	full bool // something did not fit
}

// put writes the lowest n bits of v, 48 at most; the others are zero.
func (w *bitWriter) put(v uint64, n uint) {
	w.acc |= v << (w.n & 63)
	w.n += n
	if w.n >= 16 {
		w.flush()
	}
}

// flush writes the whole bytes in acc.
func (w *bitWriter) flush() {
	k := int(w.n >> 3)
	at := len(w.buf)
	if cap(w.buf)-at < 8 {
		w.flushSlowly(k)
		return
	}
	binary.LittleEndian.PutUint64(w.buf[at:at+8], w.acc)
	w.buf = w.buf[:at+k]
	w.acc >>= uint(k) * 8
	w.n &= 7
}

// flushSlowly does so near the end of the memory.
func (w *bitWriter) flushSlowly(k int) {
	for range k {
		if len(w.buf) == cap(w.buf) {
			w.full = true
		} else {
			w.buf = append(w.buf, byte(w.acc))
		}
		w.acc >>= 8
	}
	w.n &= 7
}

// align fills the last byte with zeros.
func (w *bitWriter) align() {
	w.n = (w.n + 7) &^ 7
	w.flush()
}

// bytes writes whole bytes; it comes after align.
func (w *bitWriter) bytes(b ...byte) {
	if len(b) > cap(w.buf)-len(w.buf) {
		w.full = true
		return
	}
	w.buf = append(w.buf, b...)
}
