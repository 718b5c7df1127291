package unpack

import (
	"bytes"
	"errors"
)

// pixzMagic begins the file index that pixz writes as the last block of an .xz file when it packs a tar; numbers are
// little-endian:
//
//	0xDBAE14D62E324CA6                   8 bytes
//	name, zero byte, offset (8 bytes)    a member, and where its first header begins in the tar stream
//	...
//	zero byte, size (8 bytes)            the end, and the length of the tar stream
//
// To decoders of xz it is data like all the rest: in what they give it follows the tar stream.
const pixzMagic = "\xa6\x4c\x32\x2e\xd6\x14\xae\xdb"

// A pixzIndex checks what follows the magic as it comes in: it must be the index of a tar stream of this size and
// nothing else. Names may be anything: pixz leaves some members out, and the names of some others.
type pixzIndex struct {
	size uint64

	name    int    // bytes of the name of the record at hand
	missing int    // bytes of its offset that are still to come; none as long as the name has not ended
	offset  uint64 // what is there of it
	least   uint64 // what it can be at least: members take a block each
	ended   bool   // by a record that says the size
}

// add checks the next piece. Errors end a sentence that begins with the index.
func (x *pixzIndex) add(b []byte) error {
	for len(b) > 0 {
		switch {
		case x.ended:
			return errors.New("is followed by something else")
		case x.missing == 0:
			n := bytes.IndexByte(b, 0)
			if n < 0 {
				x.name += len(b)
				return nil
			}
			x.name += n
			b = b[n+1:]
			x.missing = 8
		default:
			x.offset = x.offset>>8 | uint64(b[0])<<56
			b = b[1:]
			if x.missing--; x.missing > 0 {
				continue
			}
			if err := x.record(); err != nil {
				return err
			}
		}
	}
	return nil
}

// record checks a record that is complete.
func (x *pixzIndex) record() error {
	x.ended = x.offset == x.size
	if x.offset > x.size || x.offset < x.least || x.offset%blockSize != 0 || x.ended && x.name > 0 {
		return errors.New("is not of the archive before it")
	}
	x.least, x.name = x.offset+blockSize, 0
	return nil
}
