package oci

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// indexDoc is a layout's index.json under change. Entries and keys that are not ours are kept as they stand,
// unknown fields included: other tools own them.
type indexDoc struct {
	keys    map[string]json.RawMessage // all but schemaVersion, mediaType and manifests
	entries []indexEntry
	exists  bool // it was read from a file
}

type indexEntry struct {
	raw  json.RawMessage
	desc v1.Descriptor
}

func (e indexEntry) name() string { return e.desc.Annotations[v1.AnnotationRefName] }

// EditIndex puts references into an index document and removes names from it. No document is an empty one. It touches no file: who
// keeps an index.json writes the answer under a lock of its own. A document that already says all that is given back as
// it is. What is not ours in it is kept as it stands.
func EditIndex(index []byte, set []Ref, remove []string) ([]byte, error) {
	doc := &indexDoc{}
	if len(index) > 0 {
		var err error
		if doc, err = parseIndexDoc(index); err != nil {
			return nil, err
		}
	}
	changed := !doc.exists
	for _, name := range remove {
		changed = len(doc.remove(name)) > 0 || changed
	}
	has := doc.lookup()
	for _, r := range set {
		if err := r.check(); err != nil {
			return nil, err
		}
		if has(r) {
			continue
		}
		changed = true
		if _, err := doc.set(r); err != nil {
			return nil, err
		}
	}
	if !changed {
		return index, nil
	}
	return doc.bytes()
}

// parseIndexDoc reads an index.json; it refuses what parseIndex refuses.
func parseIndexDoc(data []byte) (*indexDoc, error) {
	index, err := parseIndex(data)
	if err != nil {
		return nil, err
	}
	doc := &indexDoc{exists: true}
	if err := decode(data, "index", &doc.keys); err != nil {
		return nil, err
	}
	var raws []json.RawMessage
	if raw, ok := doc.keys["manifests"]; ok {
		if err := decode(raw, "index: manifests", &raws); err != nil {
			return nil, err
		}
	}
	if len(raws) != len(index.Manifests) {
		return nil, fmt.Errorf("index: %w: manifests stand twice", errInvalid)
	}
	for i, raw := range raws {
		doc.entries = append(doc.entries, indexEntry{raw: raw, desc: index.Manifests[i]})
	}
	for _, own := range []string{"schemaVersion", "mediaType", "manifests"} {
		delete(doc.keys, own)
	}
	return doc, nil
}

// has tells whether name stands for exactly this descriptor, and for nothing else.
func (d *indexDoc) has(r Ref) bool { return d.lookup()(r) }

// lookup is has for many references: it looks at each entry once. It does not see what is changed afterwards.
func (d *indexDoc) lookup() func(Ref) bool {
	by := make(map[string][]v1.Descriptor, len(d.entries))
	for _, e := range d.entries {
		by[e.name()] = append(by[e.name()], e.desc)
	}
	return func(r Ref) bool {
		found := by[r.Name]
		return len(found) == 1 && sameEntry(found[0], r.entry())
	}
}

func sameEntry(a, b v1.Descriptor) bool {
	platform := func(p *v1.Platform) string {
		if p == nil {
			return ""
		}
		return FormatPlatform(*p)
	}
	return a.MediaType == b.MediaType && a.Digest == b.Digest && a.Size == b.Size &&
		platform(a.Platform) == platform(b.Platform) && maps.Equal(a.Annotations, b.Annotations)
}

// set makes name stand for r's descriptor and answers with what it stood for.
func (d *indexDoc) set(r Ref) ([]v1.Descriptor, error) {
	entry := r.entry()
	raw, err := marshalRaw(entry)
	if err != nil {
		return nil, err
	}
	old := d.remove(r.Name)
	d.entries = append(d.entries, indexEntry{raw: raw, desc: entry})
	return old, nil
}

// remove drops name and answers with what it stood for.
func (d *indexDoc) remove(name string) []v1.Descriptor {
	var old []v1.Descriptor
	d.entries = slices.DeleteFunc(d.entries, func(e indexEntry) bool {
		if e.name() != name {
			return false
		}
		old = append(old, e.desc)
		return true
	})
	return old
}

// bytes writes the index: entries without a name first, as they stood, then the others by name, so that the
// bytes say what the index holds and not in which order builds came by.
func (d *indexDoc) bytes() ([]byte, error) {
	slices.SortStableFunc(d.entries, func(a, b indexEntry) int { return strings.Compare(a.name(), b.name()) })
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"schemaVersion":2,"mediaType":%q,"manifests":[`, v1.MediaTypeImageIndex)
	for i, e := range d.entries {
		if i > 0 {
			b.WriteByte(',')
		}
		if err := json.Compact(&b, e.raw); err != nil {
			return nil, err
		}
	}
	b.WriteByte(']')
	for _, k := range slices.Sorted(maps.Keys(d.keys)) {
		key, err := marshalRaw(k)
		if err != nil {
			return nil, err
		}
		b.WriteByte(',')
		b.Write(key)
		b.WriteByte(':')
		if err := json.Compact(&b, d.keys[k]); err != nil {
			return nil, err
		}
	}
	b.WriteByte('}')
	if b.Len() > maxDocument {
		return nil, fmt.Errorf("index: %d bytes: longer than the %d that will be read", b.Len(), maxDocument)
	}
	// The last line of defence against an index that no one could read any more.
	if _, err := parseIndex(b.Bytes()); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// marshalRaw is json.Marshal without the escapes for HTML.
func marshalRaw(v any) (json.RawMessage, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
