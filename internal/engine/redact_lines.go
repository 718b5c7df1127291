package engine

import (
	"bytes"
	"sort"
	"strings"

	"xtoo/projects"
)

// brokenLines knows texts that programs break into lines without asking: base64 does after 76 characters, openssl after 64,
// so that of a secret in the middle of what is encoded any beginning may end one line, and the rest begin the next.
type brokenLines struct {
	texts  []string
	begins map[[projects.MinSecret]byte][]string // beginnings, by their last bytes, longest first
	ends   map[[projects.MinSecret]byte][]string // ends, by their first bytes, longest first
}

// maxBroken is the length of the longest text that is looked for in broken lines, in bytes: a list has about as many entries.
const maxBroken = 64 << 10

func newBrokenLines() brokenLines {
	return brokenLines{begins: map[[projects.MinSecret]byte][]string{}, ends: map[[projects.MinSecret]byte][]string{}}
}

// add adds a text. Of it, parts that are shorter than a secret may be are not looked for: they stand everywhere.
func (b *brokenLines) add(text string) {
	const least = projects.MinSecret
	if len(text) > maxBroken {
		return
	}
	b.texts = append(b.texts, text)
	for i := least; i < len(text); i++ {
		last := [least]byte([]byte(text[i-least : i]))
		b.begins[last] = append(b.begins[last], text[:i])
	}
	for i := 1; i+least <= len(text); i++ {
		first := [least]byte([]byte(text[i : i+least]))
		b.ends[first] = append(b.ends[first], text[i:])
	}
}

// sort is called once all are added.
func (b *brokenLines) sort() {
	for _, lists := range []map[[projects.MinSecret]byte][]string{b.begins, b.ends} {
		for _, list := range lists {
			sort.Slice(list, func(i, j int) bool { return len(list[i]) > len(list[j]) })
		}
	}
}

// find says up to where a line is the end of one of the texts, and from where on it is the beginning of one.
func (b *brokenLines) find(line []byte) (head, tail int) {
	const least = projects.MinSecret
	tail = len(line)
	if tail > 0 && line[tail-1] == '\r' {
		tail--
	}
	if tail < least {
		return 0, len(line)
	}
	whole := line[:tail]
	for _, end := range b.ends[[least]byte(whole)] {
		if bytes.HasPrefix(whole, []byte(end)) {
			head = len(end)
			break
		}
	}
	for _, begin := range b.begins[[least]byte(whole[tail-least:])] {
		if bytes.HasSuffix(whole, []byte(begin)) {
			return head, tail - len(begin)
		}
	}
	const column = 64 // a line between two breaks
	if len(whole) >= column {
		for _, text := range b.texts {
			if len(text) > len(whole) && strings.Contains(text, string(whole)) {
				return len(line), len(line)
			}
		}
	}
	return head, len(line)
}
