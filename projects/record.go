package projects

import (
	"bytes"
	"fmt"

	"gopkg.in/yaml.v3"

	"xtoo/projects/schema"
)

// recordHead stands at the beginning of what Record writes.
const recordHead = "# Answers to the questions of `xtoo build`, which takes them with --answers FILE. Secrets are not among them.\n"

// RecordHead is how many bytes of a file tell whether Record wrote it.
const RecordHead = len(recordHead)

// IsRecord tells it, by these bytes.
func IsRecord(head []byte) bool { return bytes.HasPrefix(head, []byte(recordHead)) }

// Record is a file of the answers that were given: those in [Given.AnswerFiles], and [Given.Answers], which go before them. As one of
// AnswerFiles it gives them again. Secrets are left out. The error is an [*schema.Errors] where a file cannot be read.
func (t *Tree) Record(g Given) ([]byte, error) {
	var probs schema.Problems
	all := newSource()
	add := func(s source) {
		for name, v := range s.general {
			all.general[name] = v
		}
		for label, values := range s.specific {
			for name, v := range values {
				all.put(label, name, v)
			}
		}
	}
	for _, file := range g.AnswerFiles {
		add(t.fileSource(file, &probs))
	}
	add(answerSource(g.Answers))
	if err := probs.Err(); err != nil {
		return nil, err
	}
	out := map[string]any{}
	for name, v := range all.general {
		if v, ok := t.recorded("", name, v); ok {
			out[name] = v
		}
	}
	sections := map[string]map[string]any{}
	for label, values := range all.specific {
		for name, v := range values {
			tag, _ := splitLabel(label)
			if v, ok := t.recorded(tag, name, v); ok {
				if sections[label] == nil {
					sections[label] = map[string]any{}
				}
				sections[label][name] = v
			}
		}
	}
	if len(sections) > 0 {
		out[sectionsKey] = sections
	}
	var b bytes.Buffer
	b.WriteString(recordHead)
	e := yaml.NewEncoder(&b) // keys in order
	e.SetIndent(2)
	if err := e.Encode(out); err != nil {
		return nil, fmt.Errorf("write answers: %w", err)
	}
	return b.Bytes(), e.Close()
}

// recorded is a value as it is written; ok is false for secrets, also where only one of several projects keeps it so.
func (t *Tree) recorded(tag, name string, v givenValue) (any, bool) {
	var of *declaration
	for _, p := range t.projects {
		c := p.visible[name]
		if c == nil || tag != "" && p.Tag != tag {
			continue
		}
		if isSet(c.secret) {
			return nil, false
		}
		of = c
	}
	if v.byDefault {
		return nil, false
	}
	if v.list != nil {
		return v.list, true
	}
	if v.cli && of != nil {
		if known, err := of.fromText(v.text); err == nil {
			return known.data(), true
		}
	}
	return v.text, true
}
