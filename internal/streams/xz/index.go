package xz

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"hash"
	"hash/crc32"
)

// records stands for the records of an index, however many: their number, and a hash of all.
type records struct {
	n    int64
	hash hash.Hash
}

func (r *records) add(unpadded, size int64) {
	if r.hash == nil {
		r.hash = sha256.New()
	}
	var b [16]byte
	binary.LittleEndian.PutUint64(b[:], uint64(unpadded))
	binary.LittleEndian.PutUint64(b[8:], uint64(size))
	r.hash.Write(b[:])
	r.n++
}

func (r *records) equal(o *records) bool {
	if r.n != o.n {
		return false
	}
	return r.n == 0 || string(r.hash.Sum(nil)) == string(o.hash.Sum(nil))
}

// index reads section 4 behind its first byte, and returns the size of all of it. Its records must be those of the blocks
// that were there.
func (z *Reader) index() (int64, error) {
	part := make([]byte, 1, 64) // the indicator, a zero
	sum, size := uint32(0), int64(0)
	flush := func() {
		sum, size = crc32.Update(sum, crc32.IEEETable, part), size+int64(len(part))
		part = part[:0]
	}
	count, part, err := readVLI(z.src, part)
	if err != nil {
		return 0, err
	}
	if count != z.seen.n {
		return 0, errors.New("the index has another number of blocks than the stream")
	}
	var said records
	for range count {
		flush()
		var unpadded, unpacked int64
		if unpadded, part, err = readVLI(z.src, part); err != nil {
			return 0, err
		}
		if unpacked, part, err = readVLI(z.src, part); err != nil {
			return 0, err
		}
		said.add(unpadded, unpacked)
	}
	flush()
	if !said.equal(&z.seen) {
		return 0, errors.New("the index has other sizes than the blocks")
	}
	part = part[:-size&3]
	if err := z.readFull(part); err != nil {
		return 0, err
	}
	for _, b := range part {
		if b != 0 {
			return 0, errors.New("wrong padding of the index")
		}
	}
	flush()
	var tail [4]byte
	if err := z.readFull(tail[:]); err != nil {
		return 0, err
	}
	if binary.LittleEndian.Uint32(tail[:]) != sum {
		return 0, errors.New("wrong checksum of the index")
	}
	return size + 4, nil
}
