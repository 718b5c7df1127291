package xz

import "encoding/binary"

// branches is section 5.3.2 for machines whose instructions are independent of each other: an encoder has made the
// relative addresses of calls absolute.
type branches struct {
	at      uint32
	undoAll func(data []byte, at uint32) int
}

func (b *branches) undo(data []byte) int {
	n := b.undoAll(data, b.at)
	b.at += uint32(n)
	return n
}

func powerPC(data []byte, at uint32) int {
	i := 0
	for ; i+4 <= len(data); i += 4 {
		if x := binary.BigEndian.Uint32(data[i:]); x&0xfc000003 == 0x48000001 {
			binary.BigEndian.PutUint32(data[i:], 0x48000001|(x-at-uint32(i))&0x03fffffc)
		}
	}
	return i
}

func sparc(data []byte, at uint32) int {
	i := 0
	for ; i+4 <= len(data); i += 4 {
		x := binary.BigEndian.Uint32(data[i:])
		if x>>22 != 0x100 && x>>22 != 0x1ff {
			continue
		}
		x = (x<<2 - at - uint32(i)) >> 2
		x = (0x40000000 - x&0x400000) | 0x40000000 | x&0x3fffff
		binary.BigEndian.PutUint32(data[i:], x)
	}
	return i
}

func arm(data []byte, at uint32) int {
	i := 0
	for ; i+4 <= len(data); i += 4 {
		if data[i+3] == 0xeb {
			x := binary.LittleEndian.Uint32(data[i:])
			x = (x<<2 - at - uint32(i) - 8) >> 2
			binary.LittleEndian.PutUint32(data[i:], x&0xffffff|0xeb000000)
		}
	}
	return i
}

func armThumb(data []byte, at uint32) int {
	i := 0
	for ; i+4 <= len(data); i += 2 {
		if data[i+1]&0xf8 != 0xf0 || data[i+3]&0xf8 != 0xf8 {
			continue
		}
		high, low := binary.LittleEndian.Uint16(data[i:]), binary.LittleEndian.Uint16(data[i+2:])
		x := uint32(high&0x7ff)<<11 | uint32(low&0x7ff)
		x = (x<<1 - at - uint32(i) - 4) >> 1
		binary.LittleEndian.PutUint16(data[i:], 0xf000|uint16(x>>11)&0x7ff)
		binary.LittleEndian.PutUint16(data[i+2:], 0xf800|uint16(x)&0x7ff)
		i += 2
	}
	return i
}

func arm64(data []byte, at uint32) int {
	i := 0
	for ; i+4 <= len(data); i += 4 {
		x, pc := binary.LittleEndian.Uint32(data[i:]), at+uint32(i)
		switch {
		case x>>26 == 0x25: // BL
			x = 0x94000000 | (x-pc>>2)&0x03ffffff
		case x&0x9f000000 == 0x90000000: // ADRP, within 512 MiB
			src := x>>29&3 | x>>3&0x1ffffc
			if (src+0x20000)&0x1c0000 != 0 {
				continue
			}
			dest := src - pc>>12
			x = x&0x9000001f | dest&3<<29 | dest&0x3fffc<<3 | -(dest&0x20000)&0xe00000
		default:
			continue
		}
		binary.LittleEndian.PutUint32(data[i:], x)
	}
	return i
}

// ia64Slots says which of the three instructions of a bundle are branches, by its template.
var ia64Slots = [32]byte{16: 4, 4, 6, 6, 0, 0, 7, 7, 4, 4, 0, 0, 4, 4}

func ia64(data []byte, at uint32) int {
	i := 0
	for ; i+16 <= len(data); i += 16 {
		slots := ia64Slots[data[i]&0x1f]
		for slot := range 3 {
			if slots>>slot&1 == 0 {
				continue
			}
			bit := 5 + 41*slot
			six := data[i+bit/8 : i+bit/8+6]
			var b [8]byte
			copy(b[:], six)
			whole := binary.LittleEndian.Uint64(b[:])
			x := whole >> (bit % 8)
			if x>>37&0xf != 5 || x>>9&7 != 0 {
				continue
			}
			addr := uint32(x>>13)&0xfffff | uint32(x>>36)&1<<20
			addr = (addr<<4 - at - uint32(i)) >> 4
			x = x&^(0x8fffff<<13) | uint64(addr&0xfffff)<<13 | uint64(addr&0x100000)<<(36-20)
			binary.LittleEndian.PutUint64(b[:], whole&(1<<(bit%8)-1)|x<<(bit%8))
			copy(six, b[:])
		}
	}
	return i
}

// x86 is section 5.3.2 for x86, whose instructions can begin anywhere: what was seen in the bytes before decides whether an 0xe8 or
// 0xe9 is taken for a call or jump.
type x86 struct {
	at   uint32
	mask uint32 // which of the last three bytes looked like one
}

// x86Sign says whether a byte can be the highest of an address.
func x86Sign(b byte) bool { return b == 0 || b == 0xff }

// x86Bytes is how many bytes back the last of a mask is.
var x86Bytes = [8]int{0, 1, 2, 2, 3, 3, 3, 3}

func (f *x86) undo(data []byte) int {
	if len(data) < 5 {
		return 0
	}
	end := len(data) - 4
	last, mask := -1, f.mask
	i := 0
	for ; i < end; i++ {
		if data[i]&0xfe != 0xe8 {
			continue
		}
		if gap := i - last; gap > 3 {
			mask = 0
		} else if mask = mask << (gap - 1) & 7; mask != 0 {
			plausible := mask == 1 || mask == 2 || mask == 4
			if !plausible || x86Sign(data[i+4-x86Bytes[mask]]) {
				last, mask = i, mask<<1|1
				continue
			}
		}
		last = i
		if !x86Sign(data[i+4]) {
			mask = mask<<1 | 1
			continue
		}
		x := f.address(binary.LittleEndian.Uint32(data[i+1:]), f.at+uint32(i)+5, mask)
		binary.LittleEndian.PutUint32(data[i+1:], x)
		i += 4
	}
	if gap := i - last; gap > 3 {
		f.mask = 0
	} else {
		f.mask = mask << (gap - 1)
	}
	f.at += uint32(i)
	return i
}

// address makes an address relative to at again.
func (*x86) address(x, at, mask uint32) uint32 {
	for {
		dest := x - at
		n := 8 * x86Bytes[mask&7]
		if mask == 0 || !x86Sign(byte(dest>>(24-n))) {
			return dest&0x01ffffff | -(dest & 0x01000000)
		}
		x = dest ^ (1<<(32-n) - 1)
	}
}
