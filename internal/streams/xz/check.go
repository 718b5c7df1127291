package xz

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"io"
	"slices"

	"xtoo/internal/streams"
)

// check is what a stream's blocks are checked by, section 2.1.1.2: nothing if hash is nil.
type check struct {
	hash   hash.Hash
	size   int
	little bool // stored with the lowest byte first
}

func newCheck(id byte) (check, error) {
	switch id {
	case 0x00:
		return check{}, nil
	case 0x01:
		return check{crc32.NewIEEE(), crc32.Size, true}, nil
	case 0x04:
		return check{crc64.New(crc64.MakeTable(crc64.ECMA)), crc64.Size, true}, nil
	case 0x0a:
		return check{sha256.New(), sha256.Size, false}, nil
	}
	return check{}, ErrCheck
}

func (c check) reset() {
	if c.hash != nil {
		c.hash.Reset()
	}
}

// verify reads the check of a block.
func (c check) verify(r io.Reader) error {
	if c.hash == nil {
		return nil
	}
	said := make([]byte, c.size)
	if _, err := io.ReadFull(r, said); err != nil {
		return streams.NoEOF(err)
	}
	if c.little {
		slices.Reverse(said)
	}
	if !bytes.Equal(said, c.hash.Sum(nil)) {
		return errors.New("the data of a block is not what its check was made of")
	}
	return nil
}
