package sif

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"xtoo/layers/merge"
)

// An Image is what goes into a SIF file.
type Image struct {
	Layers []merge.Layer // topmost first
	// Config gives the environment, entry point, command and labels, and goes into oci-config.json.
	Config v1.Image
	// Arch is the architecture as OCI and Go name it; default: Config.Architecture.
	Arch string
	// Created is the time of the header, of the filesystem, and of every file that this package adds.
	// Default: Config.Created, else 1970.
	Created time.Time
	// Definition is the definition file object and .singularity.d/Singularity.
	Definition []byte
	// labels are added to, and win over, those of Config.
	labels map[string]string

	// Texts of scripts, each in place of the default described in the package comment when not empty.
	runscript, startscript, test, environment string
	// help is .singularity.d/runscript.help; none when empty.
	help string
}

// Options of [Write] and [WriteSquashfs]. The zero value works.
type Options struct {
	Compression string // of the filesystem: gzip (the default, which every host reads), zstd or xz
	Jobs        int    // blocks compressed at once; default: as many as Go runs threads. Never changes the output
	// Log hears of what foreign images make necessary; nil discards.
	Log *slog.Logger
	// Warn is told what of the image is not in the file, or is hidden in it; nil: nobody is told.
	Warn func(text string)
}

// written is what [Write] has done.
type written struct {
	size            int64 // of the SIF file, in bytes
	partitionOffset int64 // where the filesystem begins, in bytes
	partitionSize   int64
	entries         int64    // names in the filesystem that an entry describes, those of this package included
	hidden          int64    // members of layers that upper layers hide
	droppedXattrs   int64    // extended attributes that squashfs cannot hold, access control lists included
	clampedTimes    int64    // times before 1970 or after 2106
	secondPasses    int      // layers read again because a link needed what an upper layer hides
	scans           int      // layers read twice because of duplicate members
	covered         []string // what the image has where this package puts something of its own
}

// warnings say what of an image is not in the file.
func (w *written) warnings() (texts []string) {
	if w.droppedXattrs > 0 {
		texts = append(texts, fmt.Sprintf("%d extended attributes and access control lists are left out: squashfs cannot hold them", w.droppedXattrs))
	}
	if w.clampedTimes > 0 {
		texts = append(texts, fmt.Sprintf("%d times before 1970 or after 2106 are changed: squashfs cannot hold them", w.clampedTimes))
	}
	if len(w.covered) > 0 {
		texts = append(texts, "what Singularity wants to find hides what the image has at /"+strings.Join(w.covered, ", /"))
	}
	return texts
}

// warn tells what of an image is not in the file.
func (w *written) warn(o Options) {
	if o.Warn == nil {
		return
	}
	for _, text := range w.warnings() {
		o.Warn(text)
	}
}

// Write writes img as a SIF file into f, which must be open for reading and writing; what f held before is
// lost. Write neither closes f nor syncs it. After an error the content of f is undefined: write to a
// temporary file and rename it. The bytes depend on img and Options.Compression alone.
func Write(ctx context.Context, f *os.File, img Image, o Options) error {
	_, err := write(ctx, f, img, o)
	return err
}

// write is Write, and says what it has done.
func write(ctx context.Context, f *os.File, img Image, o Options) (written, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if img.Arch == "" {
		img.Arch = img.Config.Architecture
	}
	if img.Created.IsZero() && img.Config.Created != nil {
		img.Created = *img.Config.Created
	}
	if img.Created.IsZero() {
		img.Created = time.Unix(0, 0)
	}
	img.Created = img.Created.Truncate(time.Second).UTC()
	var info written
	if err := writeContainer(ctx, f, img, o, &info); err != nil {
		return written{}, fmt.Errorf("write SIF: %w", err)
	}
	info.warn(o)
	return info, nil
}
