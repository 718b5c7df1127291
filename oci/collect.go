package oci

import (
	"context"
	"log/slog"
	"os"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// collect removes the blobs that replaced entries used and that nothing in the index refers to any more, and
// answers with their number. The layout's other blobs are not looked at: they may be somebody's work in
// progress. Where it is not certain what the rest of the index refers to (a manifest is missing or of a kind not
// known here) nothing is removed. The caller holds the lock and has written the index: what fails here leaves
// rubbish, never a wrong image, so it is logged and no error.
func (l *Layout) collect(ctx context.Context, doc *indexDoc, replaced []v1.Descriptor, log *slog.Logger) int {
	keep := newWalker(l)
	keep.subjects = true
	for _, e := range doc.entries {
		if err := keep.add(ctx, e.desc); err != nil {
			log.Debug("keeping the blobs of replaced references", "layout", l.dir, "reason", err)
			return 0
		}
	}
	if keep.opaque {
		log.Debug("keeping the blobs of replaced references", "layout", l.dir, "reason", "an entry of an unknown kind")
		return 0
	}
	old := newWalker(l)
	for _, d := range replaced {
		if err := old.add(ctx, d); err != nil {
			log.Debug("a replaced reference cannot be read", "layout", l.dir, "digest", d.Digest, "reason", err)
		}
	}
	removed := 0
	for _, d := range old.list() {
		if _, ok := keep.seen[d.Digest]; ok {
			continue
		}
		name, err := l.path(d.Digest)
		if err == nil {
			err = os.Remove(name)
		}
		if err != nil {
			log.Debug("cannot remove the blob of a replaced reference", "layout", l.dir, "digest", d.Digest, "reason", err)
			continue
		}
		log.Debug("removed blob", "layout", l.dir, "digest", d.Digest)
		removed++
	}
	return removed
}
