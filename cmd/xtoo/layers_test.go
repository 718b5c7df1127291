package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"

	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/rogpeppe/go-internal/testscript"
)

// cmdLayersAre is `layers-are LAYOUT gzip|zstd|none`: every layer of every image has the media type of the
// compression, and is, decompressed by that alone, the stream of its diff id.
func cmdLayersAre(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: layers-are LAYOUT COMPRESSION")
	}
	want := map[string]string{"gzip": v1.MediaTypeImageLayerGzip, "zstd": v1.MediaTypeImageLayerZstd, "none": v1.MediaTypeImageLayer}[args[1]]
	read := func(d digest.Digest, into any) {
		ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0]+"/blobs/sha256/"+d.Encoded())), into))
	}
	var index v1.Index
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0]+"/index.json")), &index))
	seen := 0
	for _, m := range index.Manifests {
		var (
			manifest v1.Manifest
			config   v1.Image
		)
		read(m.Digest, &manifest)
		read(manifest.Config.Digest, &config)
		for i, l := range manifest.Layers {
			data, err := decompress(args[1], []byte(ts.ReadFile(args[0]+"/blobs/sha256/"+l.Digest.Encoded())))
			if err != nil || l.MediaType != want || digest.FromBytes(data) != config.RootFS.DiffIDs[i] {
				ts.Fatalf("layer %d of %s: media type %s, diff id %s of %s, %v", i, m.Digest, l.MediaType, digest.FromBytes(data), config.RootFS.DiffIDs[i], err)
			}
			seen++
		}
	}
	if seen == 0 {
		ts.Fatalf("%s has no layers", args[0])
	}
}

func decompress(how string, data []byte) ([]byte, error) {
	switch how {
	case "gzip":
		r, err := gzip.NewReader(bytes.NewReader(data))
		if err != nil {
			return nil, err
		}
		return io.ReadAll(r)
	case "zstd":
		r, err := zstd.NewReader(nil)
		if err != nil {
			return nil, err
		}
		defer r.Close()
		return r.DecodeAll(data, nil)
	}
	return data, nil
}
