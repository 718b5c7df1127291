package unpack

import (
	"archive/tar"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"xtoo/layers"
)

// What a member of a stage3 may say beyond what package layers wants of a layer's: see [checkMember].
const (
	maxName = 4096     // bytes of a name: more, and nobody could open it
	maxMode = 0o177777 // permissions, and the type that some programs put before them
)

// Times are printed with four digits of the year.
var (
	earliest = time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)
	latest   = time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC)
)

// unusual are kinds of members that programs write and readers of images refuse.
var unusual = map[byte]string{
	tar.TypeCont: "a contiguous file", 'V': "a label, of tar --label", 'D': "a directory of tar --incremental",
	'M': "the rest of a file that begins in another volume, of tar --multi-volume",
}

// checkMember returns what a member is, and refuses, on top of what no layer may hold, what no stage3 does: names that
// are empty, absolute (of what hard links are to as well) or longer than others can open, whiteouts, names of
// directories for something else, data where there are none, unusual kinds, the device that layer directories have
// in place of whiteouts, attributes that a member cannot have, and numbers that are out of range or over the limits.
func checkMember(m member, limits layers.Bounds) (layers.Member, kind, error) {
	h := m.hdr
	if what, ok := unusual[h.Typeflag]; ok {
		return layers.Member{}, 0, fmt.Errorf("%s, which readers of images do not take: pack the stage3 without", what)
	}
	e, err := layers.MemberOf(h)
	if err != nil {
		return e, 0, err
	}
	k := kindOther
	switch {
	case e.Kind != layers.Entry && e.Kind != layers.HardLink:
		return e, 0, errors.New("the name would read as a whiteout in a layer")
	case e.IsDir():
		k = kindDir
	case e.Mode&unix.S_IFMT == unix.S_IFREG:
		k = kindFile
	case e.Mode&unix.S_IFMT == unix.S_IFLNK:
		k = kindLink
	}
	switch {
	case h.Name == "":
		err = errors.New("empty name")
	case strings.HasPrefix(h.Name, "/"):
		err = errors.New("absolute name")
	case len(h.Name) > maxName:
		err = fmt.Errorf("name of %d bytes, the limit is %d", len(h.Name), maxName)
	case e.Kind == layers.HardLink && strings.HasPrefix(h.Linkname, "/"):
		err = fmt.Errorf("hard link to %q: absolute name", h.Linkname)
	case k != kindDir && strings.HasSuffix(h.Name, "/"):
		err = errors.New("the name is a directory's, but the member is none")
	case m.size != 0 && h.Typeflag != tar.TypeReg && h.Typeflag != tar.TypeGNUSparse:
		err = fmt.Errorf("a member of this kind has no data, but it is said to have %d bytes", m.size)
	case m.size < 0 || h.Size < 0:
		err = errors.New("negative size")
	case m.size > limits.FileSize || h.Size > limits.FileSize:
		err = fmt.Errorf("size of %d bytes, the limit is %d", max(m.size, h.Size), limits.FileSize)
	case h.Mode < 0 || h.Mode > maxMode:
		err = fmt.Errorf("mode %o out of range", h.Mode)
	case h.ModTime.Before(earliest) || h.ModTime.After(latest):
		err = fmt.Errorf("time %d out of range", h.ModTime.Unix())
	case h.Typeflag == tar.TypeChar && e.Major == 0 && e.Minor == 0:
		err = errors.New("character device 0:0 would read as a whiteout in a layer directory")
	case len(e.Lost) > 0:
		err = fmt.Errorf("attribute %q: it belongs to overlayfs or to xtoo, or does not make sense", e.Lost[0])
	}
	return e, k, err
}
