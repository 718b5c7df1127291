package schema

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// MaxSize is the size in bytes beyond which a file is refused.
const MaxSize = 1 << 20

// Read reads one file. What is wrong is added to probs and left out of the value. The value is nil if the file holds
// nothing, or nothing that is usable: ok tells which.
func (d *Document) Read(file string, data []byte, probs *Problems) (v *Value, ok bool) {
	r := reader{file: file, program: d.Program, probs: probs}
	n, ok := r.document(data)
	if n == nil {
		return nil, ok
	}
	v = r.read(n, d.Root, label{text: d.Label}, 0)
	return v, v != nil
}

// document parses one YAML document and returns its root node: nil and true if it is empty, nil and false if it is wrong.
func (r *reader) document(data []byte) (*yaml.Node, bool) {
	if len(data) > MaxSize {
		r.probs.Hintf(Position{File: r.file}, "move long scripts and data into files beside it",
			"the file has %d bytes: more than the %d that a configuration may have", len(data), MaxSize)
		return nil, false
	}
	if pos, bad := badCharacter(r.file, data); bad != "" {
		r.probs.Addf(pos, "%s", bad)
		return nil, false
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, second yaml.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return nil, true
	case err != nil:
		r.syntax(data, err)
		return nil, false
	}
	switch err := dec.Decode(&second); {
	case errors.Is(err, io.EOF):
	case err != nil:
		r.syntax(data, err)
		return nil, false
	default:
		r.probs.Hintf(r.pos(&second), "remove the line --- and what follows it", "a second YAML document: a file holds one")
		return nil, false
	}
	if doc.Kind != yaml.DocumentNode || len(doc.Content) != 1 {
		return nil, true
	}
	if root := doc.Content[0]; root.Kind != yaml.ScalarNode || root.ShortTag() != "!!null" {
		return root, true
	}
	return nil, true
}

var yamlLine = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`) })

// syntax reports an error of the YAML library, which knows the line at most.
func (r *reader) syntax(data []byte, err error) {
	pos := Position{File: r.file, Line: 1, Column: 1}
	m := yamlLine().FindStringSubmatch(strings.TrimSpace(err.Error()))
	if m == nil {
		r.probs.Add(Problem{Pos: pos, Msg: "not YAML: " + err.Error(), Err: err})
		return
	}
	lines := strings.Split(string(data), "\n")
	if n, convErr := strconv.Atoi(m[1]); convErr == nil && n > 0 {
		pos.Line = min(n, len(lines))
	}
	p := Problem{Pos: pos, Msg: "not YAML: " + m[2], Err: err}
	for _, l := range []int{pos.Line, pos.Line + 1} {
		if l <= len(lines) && strings.HasPrefix(strings.TrimLeft(lines[l-1], " "), "\t") {
			p.Pos.Line, p.Hint = l, "indent with spaces: YAML does not allow tabs there"
			break
		}
	}
	line := lines[p.Pos.Line-1]
	p.Pos.Column = utf8.RuneCountInString(line) - utf8.RuneCountInString(strings.TrimLeft(line, " ")) + 1
	r.probs.Add(p)
}

// badCharacter finds the first byte that is no UTF-8, or a control character that YAML does not allow.
func badCharacter(file string, data []byte) (Position, string) {
	line, column := 1, 1
	for i := 0; i < len(data); {
		c, size := utf8.DecodeRune(data[i:])
		pos := Position{File: file, Line: line, Column: column}
		switch {
		case c == utf8.RuneError && size <= 1:
			return pos, fmt.Sprintf("not UTF-8: byte 0x%02x", data[i])
		case c < 0x20 && c != '\n' && c != '\r' && c != '\t', c == 0x7f:
			return pos, fmt.Sprintf("control character U+%04X", c)
		}
		if i += size; c == '\n' {
			line, column = line+1, 1
		} else {
			column++
		}
	}
	return Position{}, ""
}
