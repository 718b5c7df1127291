package main

import (
	"fmt"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"xtoo/sif/squashfs"
)

// An inspectedFile is one file of an image in `xtoo inspect --files --json`. Names with one inode are hard links.
type inspectedFile struct {
	Path    string            `json:"path"`
	Mode    string            `json:"mode"` // "-rwxr-xr-x"
	UID     uint32            `json:"uid"`
	GID     uint32            `json:"gid"`
	Size    int64             `json:"size"`
	ModTime time.Time         `json:"mod_time"`
	Inode   uint32            `json:"inode"`
	Links   uint32            `json:"links"`
	Target  string            `json:"target,omitempty"` // of a symbolic link
	Device  string            `json:"device,omitempty"` // "major:minor"
	Xattrs  map[string][]byte `json:"xattrs,omitempty"` // values in base64
}

func newInspectedFile(f *squashfs.File) (inspectedFile, error) {
	one := inspectedFile{
		Path: f.Path, Mode: modeText(f.Mode), UID: f.UID, GID: f.GID, Size: f.Size, ModTime: f.ModTime,
		Inode: f.Number, Links: f.Links, Target: f.Target,
	}
	if isDevice(f) {
		one.Device = fmt.Sprintf("%d:%d", f.Major, f.Minor)
	}
	attrs, err := f.ReadXattrs()
	if len(attrs) > 0 {
		one.Xattrs = map[string][]byte{}
	}
	for name, value := range attrs {
		one.Xattrs[name] = []byte(value)
	}
	return one, err
}

// fileLine is a file as `ls -ln` shows it.
func fileLine(f *squashfs.File) string {
	size, target := strconv.FormatInt(f.Size, 10), ""
	if isDevice(f) {
		size = fmt.Sprintf("%d,%d", f.Major, f.Minor)
	}
	if f.Target != "" {
		target = " -> " + visible(f.Target)
	}
	return fmt.Sprintf("%s %5d %5d %11s %s %s%s", modeText(f.Mode), f.UID, f.GID, size, f.ModTime.Format("2006-01-02 15:04:05"), visible(f.Path), target)
}

func isDevice(f *squashfs.File) bool {
	kind := f.Mode & unix.S_IFMT
	return kind == unix.S_IFBLK || kind == unix.S_IFCHR
}

// modeText is a mode as ls shows it: "drwxrwxrwt".
func modeText(mode uint32) string {
	kinds := map[uint32]byte{
		unix.S_IFREG: '-', unix.S_IFDIR: 'd', unix.S_IFLNK: 'l', unix.S_IFBLK: 'b', unix.S_IFCHR: 'c', unix.S_IFIFO: 'p', unix.S_IFSOCK: 's',
	}
	b := []byte{kinds[mode&unix.S_IFMT]}
	for i := range 9 {
		c := byte('-')
		if mode&(1<<(8-i)) != 0 {
			c = "rwx"[i%3]
		}
		b = append(b, c)
	}
	for _, s := range []struct {
		bit uint32
		at  int
		x   byte
	}{{bit: unix.S_ISUID, at: 3, x: 's'}, {bit: unix.S_ISGID, at: 6, x: 's'}, {bit: unix.S_ISVTX, at: 9, x: 't'}} {
		if mode&s.bit == 0 {
			continue
		}
		if b[s.at] == '-' {
			s.x -= 'a' - 'A' // a capital: without the right to execute
		}
		b[s.at] = s.x
	}
	return string(b)
}
