package squashfs

import (
	"fmt"
	"math/bits"
	"runtime"
	"time"
)

// Compressions that [Options] may name.
const (
	compressGzip = "gzip" // zlib streams: every kernel reads them
	compressZstd = "zstd" // kernel 4.14 and later
	compressXz   = "xz"   // kernel 2.6.38 and later; small and slow
)

// Options of a [Writer]. The zero value works.
type Options struct {
	// Compression is gzip (the default), zstd or xz.
	Compression string
	// level is 1 to 9 for gzip (default 7, which makes smaller files than mksquashfs does), 1 to 22 for
	// zstd (default 15). xz has none. 0 means the default.
	level int
	// blockSize in bytes: a power of two from 4096 to 1 MiB; default 128 KiB.
	blockSize int
	// ModTime is the filesystem's own time, and the time of directories that no entry describes. Zero
	// means 1970.
	ModTime time.Time
	// Jobs is how many blocks are compressed at once; default: as many as Go runs threads. It never
	// changes the output.
	Jobs int
}

const (
	defaultBlockSize = 128 << 10
	defaultGzipLevel = 7
	defaultZstdLevel = 15 // what the format's readers assume when no options are stored
)

// withDefaults returns a checked copy in which nothing is left out.
func (o Options) withDefaults() (Options, error) {
	if o.Compression == "" {
		o.Compression = compressGzip
	}
	if o.blockSize == 0 {
		o.blockSize = defaultBlockSize
	}
	if o.Jobs == 0 {
		o.Jobs = runtime.GOMAXPROCS(0)
	}
	if o.blockSize < minBlockSize || o.blockSize > maxBlockSize || bits.OnesCount(uint(o.blockSize)) != 1 {
		return o, fmt.Errorf("squashfs block size %d: not a power of two from %d to %d", o.blockSize, minBlockSize, maxBlockSize)
	}
	if o.Jobs < 0 {
		return o, fmt.Errorf("squashfs jobs %d: less than one", o.Jobs)
	}
	top := map[string]int{compressGzip: 9, compressZstd: 22, compressXz: 0}
	best, ok := top[o.Compression]
	if !ok {
		return o, fmt.Errorf("squashfs compression %q: %w (gzip, zstd and xz are)", o.Compression, errUnsupported)
	}
	if o.level < 0 || o.level > best {
		return o, fmt.Errorf("squashfs compression level %d: %s has 1 to %d (0 is its default)", o.level, o.Compression, best)
	}
	if o.level == 0 && o.Compression == compressGzip {
		o.level = defaultGzipLevel
	}
	if o.level == 0 && o.Compression == compressZstd {
		o.level = defaultZstdLevel
	}
	return o, nil
}

// unixTime clamps t into the seconds that the format holds: 1970 to 2106.
func unixTime(t time.Time) uint32 {
	if t.IsZero() {
		return 0
	}
	return uint32(min(max(t.Unix(), 0), 1<<32-1))
}
