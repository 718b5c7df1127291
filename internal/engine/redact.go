package engine

import (
	"bytes"
	"encoding/base64"
	"sort"
	"strings"

	"xtoo/projects"
)

// redacted is what stands in an output where a secret was.
var redacted = []byte(new(projects.Secret).String())

// A redactor takes secrets out of texts: as they are, as shells quote them when they show what they execute, and in
// base64. The zero value takes out nothing.
type redactor struct {
	// needles are what is searched for, by their first bytes, those that begin alike longest first.
	needles map[[projects.MinSecret]byte][][]byte
	// may has a bit for every needle's first bytes, so that most places are passed without a look at needles.
	may [1 << 12]bool
	// longest is the length of the longest needle in bytes.
	longest int
	// broken finds the parts of a secret in base64 between which a line ends.
	broken brokenLines
}

// newRedactor makes the redactor of some secrets.
func newRedactor(secrets map[string]*projects.Secret) *redactor {
	r := &redactor{needles: map[[projects.MinSecret]byte][][]byte{}, broken: newBrokenLines()}
	seen := map[string]bool{}
	add := func(s string) {
		if len(s) < projects.MinSecret || seen[s] {
			return
		}
		seen[s] = true
		first := [projects.MinSecret]byte([]byte(s))
		r.needles[first] = append(r.needles[first], []byte(s))
		r.may[slot(first)] = true
		r.longest = max(r.longest, len(s))
	}
	for _, secret := range secrets {
		text := secret.Reveal()
		if text == "" {
			continue
		}
		inBase64 := func(s string) {
			add(s)
			r.broken.add(s)
		}
		encoded(text, inBase64)
		for line := range strings.Lines(text) {
			line = strings.TrimRight(line, "\r\n")
			if len(line) < projects.MinSecret {
				continue // it stands everywhere
			}
			add(line)
			for _, q := range quoted(line) {
				add(q)
			}
			encoded(line, inBase64)
		}
	}
	r.broken.sort()
	for _, list := range r.needles {
		sort.Slice(list, func(i, j int) bool { return len(list[i]) > len(list[j]) })
	}
	return r
}

// slot spreads the first bytes of needles over the table.
func slot(first [projects.MinSecret]byte) int {
	h := uint32(first[0]) | uint32(first[1])<<8 | uint32(first[2])<<16 | uint32(first[3])<<24
	return int(h * 2654435761 >> 20)
}

// quoted lists how shells and other programs write a text where they show it: dash, bash and busybox under -x, printf
// %q, and what stands between double quotes.
func quoted(s string) []string {
	ansi := strings.NewReplacer(`\`, `\\`, `'`, `\'`, "\t", `\t`, "\x1b", `\E`)
	double := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "$", `\$`, "`", "\\`")
	json := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\t", `\t`)
	var words strings.Builder
	for _, c := range s {
		if c < 0x80 && !strings.ContainsRune("+-./:=@_,%", c) && !isAlphanumeric(c) {
			words.WriteByte('\\')
		}
		words.WriteRune(c)
	}
	return []string{
		strings.ReplaceAll(s, `'`, `'\''`), dashQuoted(s), ansi.Replace(s), double.Replace(s), json.Replace(s), words.String(),
		strings.ReplaceAll(s, `\`, `\\`),
	}
}

func isAlphanumeric(c rune) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// dashQuoted is how dash writes a text under -x: a run of single quotes stands between double ones.
func dashQuoted(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		n := len(s[i:]) - len(strings.TrimLeft(s[i:], `'`))
		if n == 0 {
			b.WriteByte(s[i])
			i++
			continue
		}
		b.WriteString(`'"` + s[i:i+n] + `"'`)
		i += n
	}
	return b.String()
}

// encoded adds what of a text can be seen in base64 whatever stands before and after it: of its first and its last
// three bytes some bits mix with their neighbours.
func encoded(s string, add func(string)) {
	for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for shift := range 3 {
			all := enc.EncodeToString([]byte(strings.Repeat("\x00", shift) + s))
			all = all[[]int{0, 2, 3}[shift]:]
			if (shift+len(s))%3 != 0 {
				all = all[:len(all)-1]
			}
			add(all)
		}
	}
}

// spans calls found for each part of a text that is to be hidden, in order; parts that overlap are one.
func (r *redactor) spans(text []byte, found func(from, to int)) {
	from, to := -1, -1
	for i := 0; i+projects.MinSecret <= len(text); i++ {
		first := [projects.MinSecret]byte(text[i:])
		if !r.may[slot(first)] {
			continue
		}
		for _, n := range r.needles[first] {
			if !bytes.HasPrefix(text[i:], n) {
				continue
			}
			if i >= to && from >= 0 {
				found(from, to)
				from = -1
			}
			if from < 0 {
				from = i
			}
			to = max(to, i+len(n))
			break // the others that begin here are shorter
		}
	}
	if from >= 0 {
		found(from, to)
	}
}

// hide returns a line without the secrets.
func (r *redactor) hide(line []byte) []byte {
	if r.longest == 0 {
		return line
	}
	var hidden []span
	add := func(from, to int) {
		for n := len(hidden); n > 0 && hidden[n-1].to > from; n = len(hidden) {
			from, to = min(from, hidden[n-1].from), max(to, hidden[n-1].to)
			hidden = hidden[:n-1]
		}
		hidden = append(hidden, span{from, to})
	}
	head, tail := r.broken.find(line)
	if head > 0 {
		add(0, head)
	}
	r.spans(line, add)
	if tail < len(line) {
		add(tail, len(line))
	}
	if len(hidden) == 0 {
		return line
	}
	var out []byte
	done := 0
	for _, h := range hidden {
		out = append(append(out, line[done:h.from]...), redacted...)
		done = h.to
	}
	return append(out, line[done:]...)
}

// A span is a part of a text.
type span struct{ from, to int }

// cut says how much of a text that goes on can be shown now: no secret begins before the place and ends after it, but
// where secrets overlap all the way.
func (r *redactor) cut(text []byte) int {
	end := max(len(text)-max(r.longest-1, 0), 0)
	r.spans(text, func(from, to int) {
		switch {
		case from >= end || to <= end:
		case from > 0:
			end = from
		default:
			end = to
		}
	})
	return end
}
