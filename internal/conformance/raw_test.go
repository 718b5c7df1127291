package conformance

import (
	"archive/tar"
	"testing"

	"xtoo/internal/testutil"
	"xtoo/internal/testutil/layertest"
)

const (
	block   = 512
	noBytes = testutil.RawNoBytes
)

var (
	raw      = testutil.RawHeader
	pad      = testutil.RawPad
	whole    = testutil.RawEnd
	record   = testutil.RawRecord
	extended = testutil.RawExtended
)

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
