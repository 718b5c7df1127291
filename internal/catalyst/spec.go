// Package catalyst reads the spec files of catalyst, Gentoo's release tool, as people have them for a stage4.
//
//	target: stage4                      key: value
//	stage4/packages:                    a key; its words follow, over any number of lines,
//	    app-editors/vim                 until a line begins with another key
//	    net-misc/openssh   # a comment
//
// It knows what the words of a spec are and where they stand, and nothing of what xtoo makes of them. Specs are hostile until read:
// sizes are bounded, and what is not text is refused.
package catalyst

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// MaxSize is the size in bytes beyond which a spec is refused.
const MaxSize = 1 << 20

// maxWords bounds how many words one spec may have.
const maxWords = 100_000

// Spec is a spec file: its keys in the order of the file, each once.
type Spec struct {
	Keys []Key
}

// Key is a key with its words.
type Key struct {
	Name  string
	Line  int // counted from 1
	Words []Word
}

// Word is one word of a key's value.
type Word struct {
	Text string
	Line int
}

// Text is the value as one text: its words with blanks between.
func (k *Key) Text() string {
	words := make([]string, len(k.Words))
	for i, w := range k.Words {
		words[i] = w.Text
	}
	return strings.Join(words, " ")
}

// Get returns a key, or nil.
func (s *Spec) Get(name string) *Key {
	for i := range s.Keys {
		if s.Keys[i].Name == name {
			return &s.Keys[i]
		}
	}
	return nil
}

// A SyntaxError is a line that is not what a spec may hold.
type SyntaxError struct {
	Line int
	Msg  string
}

func (e *SyntaxError) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Msg) }

// A line that begins so has a key. Words may hold colons (atom::repository, https://…), but no blank behind the first.
var keyLine = regexp.MustCompile(`^([A-Za-z0-9][A-Za-z0-9_./+-]*):(?:[ \t]+(.*))?$`)

// Parse reads a spec. The error is a [*SyntaxError] with the line, or says that the file is too large.
func Parse(data []byte) (*Spec, error) {
	if len(data) > MaxSize {
		return nil, fmt.Errorf("the spec has %d bytes: more than %d", len(data), MaxSize)
	}
	s := &Spec{}
	at := map[string]int{}
	words := 0
	for i, raw := range bytes.Split(data, []byte("\n")) {
		n := i + 1
		line := strings.TrimRight(string(raw), " \t\r")
		if why := badText(line); why != "" {
			return nil, &SyntaxError{n, why}
		}
		if j := comment(line); j >= 0 {
			line = strings.TrimRight(line[:j], " \t")
		}
		if line == "" {
			continue
		}
		rest := line
		if m := keyLine.FindStringSubmatch(line); m != nil {
			if first, dup := at[m[1]]; dup {
				return nil, &SyntaxError{n, fmt.Sprintf("the key %q stands twice: first in line %d", m[1], first)}
			}
			at[m[1]] = n
			s.Keys = append(s.Keys, Key{Name: m[1], Line: n})
			rest = m[2]
		} else if len(s.Keys) == 0 {
			return nil, &SyntaxError{n, "a word without a key before it: a spec is lines `key: value`"}
		}
		k := &s.Keys[len(s.Keys)-1]
		for _, w := range strings.Fields(rest) {
			if words++; words > maxWords {
				return nil, &SyntaxError{n, fmt.Sprintf("more than %d words", maxWords)}
			}
			k.Words = append(k.Words, Word{w, n})
		}
	}
	return s, nil
}

// comment is where the comment of a line begins: a # at its start or behind a blank; -1: there is none.
func comment(line string) int {
	for i := range len(line) {
		if line[i] == '#' && (i == 0 || line[i-1] == ' ' || line[i-1] == '\t') {
			return i
		}
	}
	return -1
}

func badText(line string) string {
	if !utf8.ValidString(line) {
		return "it is not UTF-8 text"
	}
	for _, r := range line {
		if r < 0x20 && r != '\t' || r == 0x7f {
			return fmt.Sprintf("it holds the control character U+%04X", r)
		}
	}
	return ""
}
