package unpack

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"xtoo/internal/streams/packed"
)

// others are things that get mistaken for a stage3, by their first bytes.
var others = []struct{ magic, what string }{
	{"\x7fELF", "an ELF program or library"},
	{"PK\x03\x04", "a zip archive"},
	{"7z\xbc\xaf\x27\x1c", "a 7z archive"},
	{"Rar!", "a rar archive"},
	{"LZIP", "lzip data; compress it as xz instead"},
	{"\x04\x22\x4d\x18", "lz4 data; compress it as zstd or xz instead"},
	{"\x5d\x00\x00", "probably old .lzma data; compress it as xz instead"},
	{"\x1f\x9d", "data of the old compress(1); compress it as xz instead"},
	{"hsqs", "a squashfs image"},
	{"070701", "a cpio archive"},
	{"\xed\xab\xee\xdb", "an rpm package"},
	{"!<arch>\n", "an ar archive or a Debian package"},
	{"-----BEGIN PGP", "an OpenPGP signature or key"},
	{"-----BEGIN", "a PEM file"},
	{"#!", "a script"},
	{"#!/usr/bin/env run-singularity", "a SIF image"},
	{"sha256 ", "a hash file"},
	{"sha512 ", "a hash file"},
	{"%PDF", "a PDF"},
	{"{", "JSON"},
}

// notTar returns [ErrNotTar], with a guess at what head belongs to, unless it is the first block of a
// tar. Two zero blocks are a tar as well: an empty one.
func notTar(head []byte, format packed.Format) error {
	if len(head) == blockSize && (isZero(head) || checksumFits(head)) {
		return nil
	}
	what := guess(head)
	if format != packed.None {
		return fmt.Errorf("%w: it is %s data of %s", ErrNotTar, format, what)
	}
	return fmt.Errorf("%w: it looks like %s", ErrNotTar, what)
}

func guess(head []byte) string {
	if len(head) == 0 {
		return "nothing at all"
	}
	start := strings.ToLower(string(bytes.TrimLeft(head, " \t\r\n\ufeff")))
	if strings.HasPrefix(start, "<!doctype html") || strings.HasPrefix(start, "<html") {
		return "a web page: the download probably got an error page"
	}
	if strings.HasPrefix(start, "<?xml") {
		return "XML"
	}
	if f := packed.Detect(head); f != packed.None {
		return fmt.Sprintf("%s data, compressed twice", f)
	}
	best := ""
	length := 0
	for _, o := range others {
		if bytes.HasPrefix(head, []byte(o.magic)) && len(o.magic) > length {
			best, length = o.what, len(o.magic)
		}
	}
	switch {
	case best != "":
		return best
	case isText(head):
		return "a text file"
	case len(head) < blockSize:
		return fmt.Sprintf("only %d bytes, less than one tar header", len(head))
	}
	return "no known kind of file: its first header has a wrong checksum"
}

func isText(b []byte) bool {
	for cut := 0; !utf8.Valid(b); cut++ { // the end of the block may cut a character in two
		if cut == utf8.UTFMax || len(b) == 0 {
			return false
		}
		b = b[:len(b)-1]
	}
	return bytes.IndexFunc(b, func(r rune) bool {
		return r < ' ' && r != '\t' && r != '\n' && r != '\r' && r != '\f' && r != 0x1b
	}) < 0
}
