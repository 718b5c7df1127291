package conformance

import (
	"archive/tar"
	"bytes"
	"fmt"
	"testing"

	"xtoo/internal/testutil/layertest"
)

const (
	block   = 512
	noBytes = "00000000000\x00"
)

// raw makes a header block that archive/tar would refuse to write. fields are offsets and texts.
func raw(name string, typ byte, size string, fields ...any) []byte {
	b := make([]byte, block)
	copy(b, name)
	copy(b[100:], "0000644\x000000000\x000000000\x00"+size)
	copy(b[136:], "12252554400\x00")
	b[156] = typ
	copy(b[257:], "ustar\x0000")
	for i := 0; i+1 < len(fields); i += 2 {
		at, text := fields[i].(int), fields[i+1].(string) //nolint:errcheck // a test would panic, and should
		copy(b[at:], text)
	}
	copy(b[148:], "        ")
	sum := 0
	for _, c := range b {
		sum += int(c)
	}
	copy(b[148:], fmt.Sprintf("%06o\x00 ", sum))
	return b
}

// pad fills up to whole blocks.
func pad(b []byte) []byte { return append(b, make([]byte, (block-len(b)%block)%block)...) }

// whole puts pieces together and ends the archive.
func whole(pieces ...[]byte) []byte { return append(bytes.Join(pieces, nil), make([]byte, 2*block)...) }

// record makes one pax record.
func record(key, value string) string {
	for n := len(key) + len(value) + 3; ; n++ {
		if s := fmt.Sprintf("%d %s=%s\n", n, key, value); len(s) == n {
			return s
		}
	}
}

// extended puts an extension header with data before a member.
func extended(typ byte, data string, rest ...[]byte) []byte {
	h := raw("extended", typ, fmt.Sprintf("%011o\x00", len(data)))
	return append(append(h, pad([]byte(data))...), bytes.Join(rest, nil)...)
}

// file, link and node are members of one block.
func file(name string) []byte                   { return raw(name, tar.TypeReg, noBytes) }
func dir(name string) []byte                    { return raw(name, tar.TypeDir, noBytes) }
func link(typ byte, name, target string) []byte { return raw(name, typ, noBytes, 157, target) }
func node(typ byte, major, minor string) []byte {
	return raw("dev/x", typ, noBytes, 329, major+"\x00", 337, minor+"\x00")
}

// of makes a stream of items.
func of(t *testing.T, items ...layertest.Item) []byte { return layertest.Tar(t, items...) }

// withPAX gives an item records.
func withPAX(i layertest.Item, records ...string) layertest.Item {
	i.PAXRecords = map[string]string{}
	for n := 0; n+1 < len(records); n += 2 {
		i.PAXRecords[records[n]] = records[n+1]
	}
	return i
}
