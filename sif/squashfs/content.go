package squashfs

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"math"
)

// content is the data of one or several files.
type content struct {
	start      uint64 // position of the first block on disk; set by the pipeline
	size       uint64
	blocks     uint32 // where its block sizes begin in contents.blocks
	frag       uint32 // fragment block, or noFragment
	fragOffset uint32
	digest     [sha256.Size]byte
}

// fragment is a fragment block on disk; set by the pipeline.
type fragment struct {
	start uint64
	size  uint32
}

// contents is the data of all files.
type contents struct {
	pipe      *pipeline
	blockSize int
	list      slab[content]
	index     index
	blocks    slab[uint32]
	fragments slab[fragment]

	frag *block // the fragment block that is being filled, or nil
	hash hash.Hash
	zero []byte
	held []*block
}

func newContents(p *pipeline, blockSize int) *contents {
	return &contents{pipe: p, blockSize: blockSize, hash: sha256.New(), zero: make([]byte, blockSize)}
}

// A tail of more than half a block gets a block of its own: it would leave the fragment block before it
// half empty, and be compressed no better for that.
func (s *contents) ownBlock(tail int) bool { return tail > s.blockSize/2 }

// holeTail is how long an all-zero tail must be to become a hole: less costs less in a fragment.
const holeTail = 4096

// add reads size bytes and returns the number of a content that is equal to them. After an error the
// pipeline must be given up.
func (s *contents) add(data io.Reader, size uint64) (uint32, error) {
	count := size/uint64(s.blockSize) + 1
	if count > uint64(math.MaxUint32-s.blocks.n) || s.list.n == math.MaxUint32-1 {
		return 0, fmt.Errorf("file of %d bytes: too many blocks: %w", size, errLimit)
	}
	id, c := s.list.add()
	*c = content{size: size, blocks: s.blocks.n, frag: noFragment}
	s.hash.Reset()
	s.held = s.held[:0]
	sent, err := s.readBlocks(data, c)
	if err != nil {
		return 0, err
	}
	tail, err := s.readBlock(data, int(size%uint64(s.blockSize)))
	if err != nil {
		return 0, err
	}
	s.hash.Sum(c.digest[:0])
	hash := s.hashOf(id)
	if old, ok := s.index.find(hash, func(i uint32) bool { return s.list.at(i).digest == c.digest }); ok {
		s.drop(c, sent, tail)
		return old, nil
	}
	started := sent || len(s.held) > 0
	for _, b := range s.held {
		s.pipe.send(b)
	}
	if err := s.addTail(c, tail, started); err != nil {
		return 0, err
	}
	s.index.insert(hash, id, s.hashOf)
	return id, nil
}

func (s *contents) hashOf(i uint32) uint64 { return le.Uint64(s.list.at(i).digest[:]) }

// readBlocks reads the whole blocks of c. The first ones are held, so that a duplicate is not
// compressed; sent says that the file was longer and its blocks were sent.
func (s *contents) readBlocks(data io.Reader, c *content) (sent bool, err error) {
	first := &c.start
	for range c.size / uint64(s.blockSize) {
		b, err := s.readBlock(data, s.blockSize)
		if err != nil {
			return sent, err
		}
		_, b.size = s.blocks.add()
		*b.size = 0
		if s.isZero(b.in) {
			s.pipe.put(b)
			continue
		}
		b.start, first = first, nil
		if s.held = append(s.held, b); !sent && len(s.held) <= holdBlocks(s.blockSize) {
			continue
		}
		sent = true
		for _, h := range s.held {
			s.pipe.send(h)
		}
		s.held = s.held[:0]
	}
	return sent, nil
}

// readBlock reads and hashes n bytes; nil for none.
func (s *contents) readBlock(data io.Reader, n int) (*block, error) {
	if n == 0 {
		return nil, nil
	}
	b, err := s.pipe.get()
	if err != nil {
		return nil, err
	}
	b.in = b.in[:n]
	if k, err := io.ReadFull(data, b.in); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		s.pipe.put(b)
		return nil, fmt.Errorf("read data: %d bytes into a block of %d: %w", k, n, err)
	}
	s.hash.Write(b.in) // a hash.Hash never fails
	return b, nil
}

func (s *contents) isZero(b []byte) bool { return b[0] == 0 && bytes.Equal(b, s.zero[:len(b)]) }

// drop forgets a duplicate.
func (s *contents) drop(c *content, sent bool, tail *block) {
	for _, b := range s.held {
		s.pipe.put(b)
	}
	if tail != nil {
		s.pipe.put(tail)
	}
	if sent {
		// The pipeline may still write into c and its block sizes: they are not used again.
		s.pipe.goBack(&c.start)
		return
	}
	s.blocks.n = c.blocks
	s.list.n--
}

// addTail stores what follows the last whole block; started says that some block of the file was sent.
func (s *contents) addTail(c *content, tail *block, started bool) error {
	switch {
	case tail == nil:
		return nil
	case len(tail.in) >= holeTail && s.isZero(tail.in):
		_, size := s.blocks.add()
		*size = 0
		s.pipe.put(tail)
		return nil
	case s.ownBlock(len(tail.in)):
		_, tail.size = s.blocks.add()
		if !started {
			tail.start = &c.start
		}
		s.pipe.send(tail)
		return nil
	}
	if s.frag != nil && len(s.frag.in)+len(tail.in) > s.blockSize {
		s.flush()
	}
	if s.frag == nil {
		if s.fragments.n == noFragment {
			return fmt.Errorf("too many fragment blocks: %w", errLimit)
		}
		_, f := s.fragments.add()
		s.frag = tail
		s.frag.start, s.frag.size = &f.start, &f.size
		c.frag, c.fragOffset = s.fragments.n-1, 0
		return nil
	}
	c.frag, c.fragOffset = s.fragments.n-1, uint32(len(s.frag.in))
	s.frag.in = append(s.frag.in, tail.in...)
	s.pipe.put(tail)
	return nil
}

// flush sends the fragment block that is being filled.
func (s *contents) flush() {
	if s.frag != nil {
		s.pipe.send(s.frag)
		s.frag = nil
	}
}

// sizes calls yield with the size on disk of each block of c, holes being 0.
func (s *contents) sizes(c *content, yield func(uint32)) {
	n := c.size / uint64(s.blockSize)
	if c.frag == noFragment && c.size%uint64(s.blockSize) != 0 {
		n++
	}
	for i := range uint32(n) {
		yield(*s.blocks.at(c.blocks + i))
	}
}
