package layers

import (
	"bytes"
	"errors"
	"io"

	"github.com/klauspost/compress/zstd"

	"xtoo/internal/streams"
)

// zstdLevel is part of the format: with another one the same layer has other bytes.
const zstdLevel = zstd.SpeedDefault

// zstdFrame is how much of a layer goes into one frame (RFC 8878, 3.1): frames are compressed side by side, and whoever reads
// them may do so as well. It is the library's window at that level, so that little is lost by it. It is part of the format.
const zstdFrame = 8 << 20

// maxZstdJobs is how many frames are in work at most: more would wait for what yields the stream, and each takes 40 MB.
const maxZstdJobs = 8

// newZstdWriter divides a stream into frames.
func newZstdWriter(w io.Writer, jobs int) io.WriteCloser {
	return &streams.Blocks{W: w, Size: zstdFrame, Jobs: min(max(1, jobs), maxZstdJobs), NewPacker: newZstdPacker}
}

type zstdPacker struct{ z *zstd.Encoder }

func newZstdPacker() (streams.Packer, error) {
	z, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstdLevel), zstd.WithEncoderConcurrency(1))
	return zstdPacker{z}, err
}

// Pack implements [streams.Packer].
func (p zstdPacker) Pack(out *bytes.Buffer, block []byte) error {
	p.z.Reset(out)
	_, err := p.z.Write(block)
	return errors.Join(err, p.z.Close())
}
