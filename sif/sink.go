package sif

import (
	"io"
	"math"
	"strings"
	"time"

	"xtoo/layers"
	"xtoo/sif/squashfs"
)

// A filesystem takes the entries of an image.
type filesystem interface {
	Add(e squashfs.Entry, data io.Reader) error
	Link(path, target string) error
	Close() (size int64, err error)
	Abort()
}

// A sink gives what a merge finds visible to a filesystem.
type sink struct {
	filesystem
	droppedXattrs, clampedTimes int64
}

// Add implements merge.Sink.
func (s *sink) Add(m *layers.Member, data io.Reader) error {
	return s.filesystem.Add(squashfs.Entry{
		Path: m.Path, Mode: m.Mode, UID: m.UID, GID: m.GID, ModTime: s.time(m.ModTime), Major: m.Major, Minor: m.Minor,
		Target: m.Target, Xattrs: s.xattrs(m), Size: m.Size,
	}, data)
}

// Link implements merge.Sink.
func (s *sink) Link(path, target string) error { return s.filesystem.Link(path, target) }

// time brings t into what squashfs holds: whole seconds in 32 bits.
func (s *sink) time(t time.Time) time.Time {
	switch sec := t.Unix(); {
	case sec < 0:
		s.clampedTimes++
		return time.Unix(0, 0)
	case sec > math.MaxUint32:
		s.clampedTimes++
		return time.Unix(math.MaxUint32, 0)
	default:
		return time.Unix(sec, 0)
	}
}

// xattrs returns the extended attributes that squashfs holds: user, trusted and security ones. All others (access
// control lists among them) are counted.
func (s *sink) xattrs(m *layers.Member) map[string]string {
	s.droppedXattrs += int64(len(m.Lost) + len(m.Named))
	for name := range m.Xattrs { // a member's map is the sink's to keep
		if !storable(name) {
			s.droppedXattrs++
			delete(m.Xattrs, name)
		}
	}
	return m.Xattrs
}

// storable says whether squashfs has a place for an extended attribute of this name.
func storable(name string) bool {
	for _, p := range []string{"user.", "trusted.", "security."} {
		if len(name) > len(p) && strings.HasPrefix(name, p) {
			return true
		}
	}
	return false
}
