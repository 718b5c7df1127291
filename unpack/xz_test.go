package unpack

import (
	"bytes"
	"errors"
	"testing"

	"xtoo/internal/streams"
	"xtoo/internal/streams/xz"
)

func TestPlanXZ(t *testing.T) {
	const mib = 1 << 20
	for _, tc := range []struct {
		blocks     int
		size, dict int64
		jobs       int
		memory     int64
		decoders   int
	}{
		{36, 16 * mib, 8 * mib, 1, 0, 1},
		{36, 16 * mib, 8 * mib, 2, 0, 2},
		{36, 16 * mib, 8 * mib, 4, 0, 4},
		{36, 16 * mib, 8 * mib, 64, 0, 4},
		{36, 24 * mib, 8 * mib, 64, 0, 4},  // xz -6 -T0
		{4, 192 * mib, 64 * mib, 64, 0, 1}, // xz -9 -T0
		{4, 192 * mib, 64 * mib, 2, 512 * mib, 2},
		{1, 1 << 40, 8 * mib, 64, 0, 1},
		{3, 1000, 1 << 16, 64, 0, 3},
		{0, 0, 0, 4, 0, 1},
		{9, 1 << 62, 128 * mib, 4, 0, 1},
	} {
		o := OpenOptions{Jobs: tc.jobs, memory: tc.memory}.withDefaults()
		blocks := make([]xzBlock, tc.blocks)
		for i := range blocks {
			blocks[i].size = tc.size
		}
		n, chunks := planXZ(blocks, tc.dict, o)
		if n != tc.decoders {
			t.Errorf("%+v: %d decoders", tc, n)
		}
		if n > 1 && int64(n)*(xz.Memory(tc.dict)+int64(chunks)*streams.ChunkSize) > o.memory || chunks < minChunks {
			t.Errorf("%+v: %d decoders, %d chunks each", tc, n, chunks)
		}
	}
}

func TestVLI(t *testing.T) {
	for _, v := range []int64{0, 1, 127, 128, 300, 1 << 40, xzMaxVLI} {
		got, rest, ok := xz.CutVLI(append(appendVLI(nil, v), "rest"...))
		if got != v || !ok || string(rest) != "rest" {
			t.Errorf("%d: got %d, %q, %v", v, got, rest, ok)
		}
	}
	for _, b := range []string{"", "\x80", "\x80\x00", "\xff\xff\xff\xff\xff\xff\xff\xff\xff", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"} {
		if _, _, ok := xz.CutVLI([]byte(b)); ok {
			t.Errorf("%x passes", b)
		}
	}
}

func TestXZIndex(t *testing.T) {
	data := sample(t)
	packed := multiXZ(t, data)
	blocks, err := readXZIndex(bytes.NewReader(packed), int64(len(packed)))
	if err != nil {
		t.Fatal(err)
	}
	half := len(data)/2 + 7
	if want := (half+699)/700 + (len(data)-half+999)/1000; len(blocks) != want {
		t.Errorf("%d blocks, want %d", len(blocks), want)
	}
	var total int64
	for _, b := range blocks {
		total += b.size
	}
	if total != int64(len(data)) {
		t.Errorf("%d bytes, want %d", total, len(data))
	}
	if dict, err := readDicts(bytes.NewReader(packed), blocks); err != nil || dict != 1<<16 {
		t.Errorf("dictionary %d, %v", dict, err)
	}
	many := bytes.Repeat(emptyXZ(), xzMaxStreams+1)
	if _, err := readXZIndex(bytes.NewReader(many), int64(len(many))); !errors.Is(err, errXZComplex) {
		t.Errorf("many streams: %v", err)
	}
	// What is too much to hold an index of is decoded all the same.
	got, _, err := unpackFile(t, tempFile(t), append(many, packed...))
	if err != nil || !bytes.Equal(got, data) {
		t.Errorf("many streams: %d bytes of %d, %v", len(got), len(data), err)
	}
}
