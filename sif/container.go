package sif

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/google/uuid"
	"github.com/sylabs/sif/v2/pkg/sif"

	"xtoo/sif/squashfs"
)

const (
	launchScript = "#!/usr/bin/env run-singularity\n"
	alignment    = 4096 // of every data object, in bytes
	inspectName  = "inspect-metadata.json"
	configName   = "oci-config.json"
)

// writeContainer lays out the SIF file. The library places the objects one after the other; the partition
// comes last, and writes itself where the library has put the file's offset.
func writeContainer(ctx context.Context, f *os.File, img Image, o Options, info *written) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	inspect, err := inspectJSON(img)
	if err != nil {
		return err
	}
	// The name is of the image specification's ImageConfig in every runtime, not of the whole Image.
	config, err := json.Marshal(img.Config.Config)
	if err != nil {
		return fmt.Errorf("encode OCI configuration: %w", err)
	}
	part := inPlace(func(f *os.File) (int64, error) { return writePartition(ctx, f, img, o, info) })
	var inputs []sif.DescriptorInput
	for _, d := range []struct {
		typ  sif.DataType
		r    io.Reader
		opts []sif.DescriptorInputOpt
	}{
		{sif.DataDeffile, bytes.NewReader(img.Definition), nil},
		{sif.DataGenericJSON, bytes.NewReader(inspect), []sif.DescriptorInputOpt{sif.OptObjectName(inspectName)}},
		{sif.DataGenericJSON, bytes.NewReader(config), []sif.DescriptorInputOpt{sif.OptObjectName(configName)}},
		{sif.DataPartition, part, []sif.DescriptorInputOpt{sif.OptPartitionMetadata(sif.FsSquash, sif.PartPrimSys, img.Arch)}},
	} {
		in, err := sif.NewDescriptorInput(d.typ, d.r, append(d.opts, sif.OptObjectAlignment(alignment))...)
		if err != nil {
			return fmt.Errorf("describe %v object: %w", d.typ, err)
		}
		inputs = append(inputs, in)
	}
	c, err := sif.CreateContainer(f,
		sif.OptCreateDeterministic(),
		sif.OptCreateWithID(uuid.Nil.String()),
		sif.OptCreateWithTime(img.Created),
		sif.OptCreateWithLaunchScript(launchScript),
		sif.OptCreateWithDescriptors(inputs...),
		sif.OptCreateWithCloseOnUnload(false))
	if err != nil {
		return err
	}
	info.size = info.partitionOffset + info.partitionSize
	// A restart or a large duplicate file may have left something behind the end.
	return errors.Join(c.UnloadContainer(), f.Truncate(info.size))
}

// inPlace is a data object that writes itself into the file at the file's offset, so that it is on disk once. The
// SIF library sees a reader, and io.Copy, which it uses, prefers WriteTo.
type inPlace func(f *os.File) (int64, error)

var errNotInPlace = errors.New("a partition can be written into a file only")

func (inPlace) Read([]byte) (int, error) { return 0, errNotInPlace }

func (write inPlace) WriteTo(w io.Writer) (int64, error) {
	f, ok := w.(*os.File)
	if !ok {
		return 0, errNotInPlace
	}
	return write(f)
}

// writePartition writes the filesystem at the offset of f and returns its size in bytes.
func writePartition(ctx context.Context, f *os.File, img Image, o Options, info *written) (int64, error) {
	base, err := f.Seek(0, io.SeekCurrent)
	if err != nil {
		return 0, err
	}
	size, err := packImage(ctx, img, o, info, func() (filesystem, error) {
		return squashfs.NewWriter(squashfs.FileOutput(f, base), squashfs.Options{
			Compression: o.Compression,
			Jobs:        o.Jobs,
			ModTime:     img.Created,
		})
	})
	if err != nil {
		return 0, err
	}
	info.partitionOffset, info.partitionSize = base, size
	return size, nil
}
