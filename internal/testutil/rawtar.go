package testutil

import (
	"bytes"
	"fmt"
)

// Streams that archive/tar refuses to write are put together of raw blocks:
//
//	RawEnd(RawHeader("c", …), RawExtended('x', RawRecord("path", "b"), RawHeader("a", …)), RawPad(data))

// rawBlock is the size of a block of a tar stream, in bytes.
const rawBlock = 512

// RawNoBytes is the size of 0 as a header has it.
const RawNoBytes = "00000000000\x00"

// RawHeader is the header block of a member of mode 0644, with its checksum. size is put there as it is: 11 octal
// digits and a zero byte, where it is to be understood. fields are pairs of an offset (int) and the text (string) that
// is put there, over what the block has else.
func RawHeader(name string, typ byte, size string, fields ...any) []byte {
	b := make([]byte, rawBlock)
	copy(b, name)
	copy(b[100:], "0000644\x000000000\x000000000\x00"+size)
	copy(b[136:], "12252554400\x00")
	b[156] = typ
	copy(b[257:], "ustar\x0000")
	for i := 0; i+1 < len(fields); i += 2 {
		at, text := fields[i].(int), fields[i+1].(string) //nolint:errcheck // a test would panic, and should
		copy(b[at:], text)
	}
	return RawSum(b)
}

// RawSum sets the checksum of a header block, the first of b, and returns b.
func RawSum(b []byte) []byte {
	copy(b[148:156], "        ")
	sum := 0
	for _, c := range b[:rawBlock] {
		sum += int(c)
	}
	copy(b[148:156], fmt.Sprintf("%06o\x00 ", sum))
	return b
}

// RawPad fills up to whole blocks.
func RawPad(b []byte) []byte { return append(b, make([]byte, (rawBlock-len(b)%rawBlock)%rawBlock)...) }

// RawEnd puts pieces together and ends the archive.
func RawEnd(pieces ...[]byte) []byte {
	return append(bytes.Join(pieces, nil), make([]byte, 2*rawBlock)...)
}

// RawRecord is one PAX record.
func RawRecord(key, value string) string {
	for n := len(key) + len(value) + 3; ; n++ {
		if s := fmt.Sprintf("%d %s=%s\n", n, key, value); len(s) == n {
			return s
		}
	}
}

// RawExtended puts an extension header with data before what follows: PAX records (types x and g), a long name or
// target of GNU (L, K).
func RawExtended(typ byte, data string, rest ...[]byte) []byte {
	h := RawHeader("././@LongLink", typ, fmt.Sprintf("%011o\x00", len(data)))
	return append(append(h, RawPad([]byte(data))...), bytes.Join(rest, nil)...)
}
