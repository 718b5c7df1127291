package stage4

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"xtoo/layers"
)

// firstWidth is how wide owner, group and size are at first, as GNU tar has it.
const firstWidth = 19

// lines make the lines of .CONTENTS.gz: what `tar --xattrs -tvf`, which catalyst calls for it, prints in UTC and UTF-8.
type lines struct {
	width int
	buf   []byte
}

// of returns the line of a member. It is good until the next call.
func (l *lines) of(m *layers.Member) []byte {
	l.width = max(l.width, firstWidth)
	owner := strconv.FormatUint(uint64(m.UID), 10) + "/" + strconv.FormatUint(uint64(m.GID), 10)
	size := "0"
	switch {
	case m.IsRegular():
		size = strconv.FormatInt(m.Size, 10)
	case m.IsDevice():
		size = fmt.Sprintf("%d,%d", m.Major, m.Minor)
	}
	l.width = max(l.width, len(owner)+1+len(size))
	b := append(l.buf[:0], modeOf(m)...)
	b = fmt.Appendf(b, " %s %*s %-16s ", owner, l.width-len(owner)-1, size, m.ModTime.UTC().Format("2006-01-02 15:04"))
	name := "./" + m.Path
	if m.IsDir() && m.Path != "" {
		name += "/"
	}
	b = appendQuoted(b, name)
	switch {
	case m.Kind == layers.HardLink:
		b = appendQuoted(append(b, " link to "...), "./"+m.Target)
	case m.Mode&unix.S_IFMT == unix.S_IFLNK:
		b = appendQuoted(append(b, " -> "...), m.Target)
	}
	l.buf = append(b, '\n')
	return l.buf
}

// modeOf is type, permissions, and whether there are attributes of users.
func modeOf(m *layers.Member) []byte {
	b := []byte("?rwxrwxrwx ")
	switch m.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		b[0] = '-'
	case unix.S_IFDIR:
		b[0] = 'd'
	case unix.S_IFLNK:
		b[0] = 'l'
	case unix.S_IFIFO:
		b[0] = 'p'
	case unix.S_IFCHR:
		b[0] = 'c'
	case unix.S_IFBLK:
		b[0] = 'b'
	}
	if m.Kind == layers.HardLink {
		b[0] = 'h'
	}
	for i := range 9 {
		if m.Mode>>(8-i)&1 == 0 {
			b[1+i] = '-'
		}
	}
	special := func(bit uint32, at int, with, without byte) {
		if m.Mode&bit == 0 {
			return
		}
		if b[at] == 'x' {
			b[at] = with
		} else {
			b[at] = without
		}
	}
	special(unix.S_ISUID, 3, 's', 'S')
	special(unix.S_ISGID, 6, 's', 'S')
	special(unix.S_ISVTX, 9, 't', 'T')
	for name := range m.Xattrs {
		if strings.HasPrefix(name, "user.") { // of others tar says nothing unless it is asked to unpack them
			b[10] = '*'
		}
	}
	return b
}

// escapes are the control characters that have a letter.
const escapes = "\aa\bb\ff\nn\rr\tt\vv\\\\"

// appendQuoted appends a name with what cannot be printed, and backslashes, escaped.
func appendQuoted(b []byte, name string) []byte {
	for len(name) > 0 {
		r, n := utf8.DecodeRuneInString(name)
		if letter := escapeOf(r); letter != 0 {
			b = append(b, '\\', letter)
		} else if r == utf8.RuneError && n == 1 || !unicode.IsPrint(r) {
			for _, c := range []byte(name[:n]) {
				b = fmt.Appendf(b, `\%03o`, c)
			}
		} else {
			b = append(b, name[:n]...)
		}
		name = name[n:]
	}
	return b
}

func escapeOf(r rune) byte {
	for i := 0; i < len(escapes); i += 2 {
		if rune(escapes[i]) == r {
			return escapes[i+1]
		}
	}
	return 0
}
