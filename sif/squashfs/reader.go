package squashfs

import (
	"errors"
	"fmt"
	"io"
	"math/bits"
	"time"
)

// Reader reads a squashfs 4.0 filesystem, whoever wrote it. Damaged and hostile ones give errors that
// say where; memory stays within a few blocks and a few bytes an inode, whatever the file claims.
// It is used by one goroutine.
type Reader struct {
	r     io.ReaderAt
	sb    superblock
	name  string // of the compression
	dec   decompressor
	ids   []uint32
	cache metaCache

	scratch []byte // a block as it is on disk
	frag    []byte // the fragment block decompressed last
	fragID  uint32
}

// Info is what the superblock says.
type Info struct {
	Compression string // gzip, zstd or xz
	BlockSize   int    // bytes
	Inodes      uint32
	fragments   uint32 // fragment blocks
	ids         int    // different uids and gids
	ModTime     time.Time
	Size        int64 // bytes, without the padding at the end
	exportable  bool  // has an export table
}

// NewReader looks at the superblock and the tables of the filesystem in the first size bytes of r.
func NewReader(r io.ReaderAt, size int64) (*Reader, error) {
	var b [superblockSize]byte
	if size < superblockSize {
		return nil, formatError("%d bytes are no superblock", size)
	}
	if _, err := r.ReadAt(b[:], 0); err != nil {
		return nil, fmt.Errorf("read squashfs superblock: %w", err)
	}
	s := &Reader{r: r, fragID: noFragment}
	if !s.sb.decode(&b) {
		return nil, formatError("no superblock of version 4.0")
	}
	if err := s.checkSuperblock(size); err != nil {
		return nil, err
	}
	var err error
	if s.name, s.dec, err = newDecompressor(s.sb.compression); err != nil {
		return nil, err
	}
	s.scratch = make([]byte, max(int(s.sb.blockSize), metadataSize))
	return s, s.readIDs()
}

func formatError(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{errFormat}, args...)...)
}

// checkSuperblock checks every field that something is sized or found by.
func (r *Reader) checkSuperblock(size int64) error {
	s := &r.sb
	switch {
	case s.blockSize < minBlockSize || s.blockSize > maxBlockSize || bits.OnesCount32(s.blockSize) != 1:
		return formatError("block size %d", s.blockSize)
	case int(s.blockLog) != bits.TrailingZeros32(s.blockSize):
		return formatError("block size %d has logarithm %d", s.blockSize, s.blockLog)
	case s.used < superblockSize || s.used > uint64(size):
		return formatError("size %d in a file of %d bytes", s.used, size)
	case s.inodes == 0 || s.ids == 0:
		return formatError("%d inodes and %d ids", s.inodes, s.ids)
	case s.inodeTable < superblockSize || s.inodeTable >= s.dirTable || s.dirTable > s.used:
		return formatError("inode table at %d, directory table at %d, end at %d", s.inodeTable, s.dirTable, s.used)
	case s.idTable < s.dirTable || s.idTable >= s.used:
		return formatError("id table at %d", s.idTable)
	case s.fragments > 0 && (s.fragmentTable < s.dirTable || s.fragmentTable >= s.used):
		return formatError("fragment table at %d", s.fragmentTable)
	case s.exportTable != noTable && (s.exportTable < s.dirTable || s.exportTable >= s.used):
		return formatError("export table at %d", s.exportTable)
	case s.xattrTable != noTable && (s.xattrTable < s.idTable || s.xattrTable >= s.used):
		return formatError("xattr table at %d", s.xattrTable)
	}
	return nil
}

// Info returns what the superblock says.
func (r *Reader) Info() Info {
	return Info{
		Compression: r.name, BlockSize: int(r.sb.blockSize), Inodes: r.sb.inodes, fragments: r.sb.fragments,
		ids: int(r.sb.ids), ModTime: time.Unix(int64(r.sb.time), 0).UTC(), Size: int64(r.sb.used),
		exportable: r.sb.exportTable != noTable,
	}
}

// at fills p from position pos of the filesystem.
func (r *Reader) at(p []byte, pos uint64) error {
	if pos > r.sb.used || uint64(len(p)) > r.sb.used-pos {
		return formatError("%d bytes at %d are beyond the end", len(p), pos)
	}
	if n, err := r.r.ReadAt(p, int64(pos)); n < len(p) {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return fmt.Errorf("read squashfs at %d: %w", pos, err)
	}
	return nil
}

// record fills p, whose length divides a metadata block, from record i of a table whose list of block
// positions is at list.
func (r *Reader) record(p []byte, list, i uint64) error {
	perBlock := metadataSize / uint64(len(p))
	var b [8]byte
	if err := r.at(b[:], list+i/perBlock*8); err != nil {
		return err
	}
	c := cursor{r: r, low: superblockSize, high: list}
	if err := c.seek(le.Uint64(b[:]), int(i%perBlock)*len(p)); err != nil {
		return err
	}
	return c.read(p)
}

func (r *Reader) readIDs() error {
	r.ids = make([]uint32, r.sb.ids) // 65535 at most
	for i := range r.ids {
		var b [4]byte
		if err := r.record(b[:], r.sb.idTable, uint64(i)); err != nil {
			return fmt.Errorf("squashfs id table: %w", err)
		}
		r.ids[i] = le.Uint32(b[:])
	}
	return nil
}

// block reads n bytes at pos, stored as they are or compressed, into dst[:0] up to its capacity.
func (r *Reader) block(dst []byte, pos uint64, n uint32, raw bool) ([]byte, error) {
	if int(n) > len(r.scratch) {
		return nil, formatError("block of %d bytes at %d", n, pos)
	}
	src := r.scratch[:n]
	if raw {
		if int(n) > cap(dst) {
			return nil, formatError("block of %d bytes at %d", n, pos)
		}
		src = dst[:n]
	}
	if err := r.at(src, pos); err != nil || raw {
		return src, err
	}
	out, err := r.dec.decompress(dst, src)
	if err != nil {
		return nil, formatError("block at %d: %v", pos, err)
	}
	return out, nil
}
