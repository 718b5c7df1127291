package sif

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/sylabs/sif/v2/pkg/sif"
)

// errFormat is what [Open] reports for a file that is no SIF file, or a damaged one.
var errFormat = errors.New("not a valid SIF file")

// Limits of what Open believes.
const (
	maxDescriptors = 1 << 16
	maxObject      = 64 << 20 // bytes of a definition file or JSON object
)

// A Container is a SIF file opened for reading.
type Container struct {
	Arch         string    // as OCI and Go name it, or "unknown"
	LaunchScript string    // the #! line
	ID           string    // UUID
	Created      time.Time // of the header
	Objects      []Object
	Definition   []byte            // nil when there is none
	Metadata     []byte            // inspect-metadata.json; nil when there is none
	Config       []byte            // oci-config.json; nil when there is none
	Partition    *io.SectionReader // the primary system partition; nil when there is none
	Offset       int64             // of the partition in the file
}

// An Object is a data object of a SIF file.
type Object struct {
	ID           uint32
	Type         sif.DataType
	Name         string
	Offset, Size int64
}

// Open reads the header and the small objects of the SIF file in r, which has size bytes. The file may be
// hostile: whatever it holds, Open fails or returns what lies within the file. What is in the
// partition is not looked at; squashfs.NewReader checks it.
func Open(r io.ReaderAt, size int64) (*Container, error) {
	if err := checkHeader(r, size); err != nil {
		return nil, err
	}
	img, err := sif.LoadContainer(readOnly{io.NewSectionReader(r, 0, size)}, sif.OptLoadWithCloseOnUnload(false))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errFormat, err)
	}
	c := &Container{Arch: img.PrimaryArch(), LaunchScript: img.LaunchScript(), ID: img.ID(), Created: img.CreatedAt().UTC()}
	var failed error
	img.WithDescriptors(func(d sif.Descriptor) bool {
		failed = c.object(r, size, d)
		return failed != nil
	})
	if failed != nil {
		return nil, failed
	}
	return c, nil
}

func (c *Container) object(r io.ReaderAt, size int64, d sif.Descriptor) error {
	if d.Offset() < 0 || d.Size() < 0 || d.Offset() > size || d.Size() > size-d.Offset() {
		return fmt.Errorf("%w: object %d (%d bytes at %d) is not within the file", errFormat, d.ID(), d.Size(), d.Offset())
	}
	c.Objects = append(c.Objects, Object{ID: d.ID(), Type: d.DataType(), Name: d.Name(), Offset: d.Offset(), Size: d.Size()})
	var into *[]byte
	switch {
	case d.DataType() == sif.DataDeffile && c.Definition == nil:
		into = &c.Definition
	case d.DataType() == sif.DataGenericJSON && d.Name() == inspectName && c.Metadata == nil:
		into = &c.Metadata
	case d.DataType() == sif.DataGenericJSON && d.Name() == configName && c.Config == nil:
		into = &c.Config
	case d.DataType() == sif.DataPartition:
		fs, typ, arch, err := d.PartitionMetadata()
		if err != nil {
			return fmt.Errorf("%w: object %d: %w", errFormat, d.ID(), err)
		}
		if typ == sif.PartPrimSys && fs == sif.FsSquash && c.Partition == nil {
			c.Partition = io.NewSectionReader(r, d.Offset(), d.Size())
			c.Offset = d.Offset()
			c.Arch = arch
		}
		return nil
	default:
		return nil
	}
	if d.Size() > maxObject {
		return fmt.Errorf("%w: object %d of %d bytes is larger than %d", errFormat, d.ID(), d.Size(), maxObject)
	}
	*into = make([]byte, d.Size())
	if _, err := r.ReadAt(*into, d.Offset()); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read object %d: %w", d.ID(), err)
	}
	return nil
}

// Positions in the header; see the package comment.
const (
	headerSize    = 128
	headerMagic   = 32
	headerNumbers = 80 // six numbers of 64 bits
	descSize      = 585
)

// checkHeader looks at the numbers that the library takes for granted.
func checkHeader(r io.ReaderAt, size int64) error {
	var h [headerSize]byte
	if size < headerSize {
		return fmt.Errorf("%w: shorter than its header", errFormat)
	}
	if _, err := r.ReadAt(h[:], 0); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read SIF header: %w", err)
	}
	if !bytes.HasPrefix(h[headerMagic:], []byte("SIF_MAGIC\x00")) {
		return fmt.Errorf("%w: no magic", errFormat)
	}
	number := func(i int) int64 { return int64(binary.LittleEndian.Uint64(h[headerNumbers+8*i:])) }
	total, offset, length := number(1), number(2), number(3)
	if total < 0 || total > maxDescriptors || length != total*descSize {
		return fmt.Errorf("%w: %d descriptors in %d bytes", errFormat, total, length)
	}
	if offset < headerSize || offset > size || length > size-offset {
		return fmt.Errorf("%w: descriptors (%d bytes at %d) are not within the file", errFormat, length, offset)
	}
	return nil
}

var errReadOnly = errors.New("opened for reading")

// readOnly is what the library wants for opening a file: it asks for writing too, but uses only ReadAt.
type readOnly struct{ *io.SectionReader }

func (readOnly) Write([]byte) (int, error) { return 0, errReadOnly }
func (readOnly) Truncate(int64) error      { return errReadOnly }
