package projects

import (
	"fmt"
	"strings"

	"xtoo/projects/ask"
	"xtoo/projects/schema"
)

// MissingError says which values nobody gave. It is returned by [Tree.Resolve] alone, when nothing else is
// wrong: answers to its questions are for [Given.Answers].
type MissingError struct {
	list []missing
}

// missing is a value that has no default and was not given, as a question.
type missing struct {
	ask.Question
	pos schema.Position
}

// Questions are what to ask for, in order.
func (e *MissingError) Questions() []ask.Question {
	out := make([]ask.Question, len(e.list))
	for i, m := range e.list {
		out[i] = m.Question
	}
	return out
}

// Error lists all that is missing.
func (e *MissingError) Error() string {
	var b strings.Builder
	for i, m := range e.list {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "%s: value %q of project %q is not given", m.pos, m.Name, m.Project)
		if len(m.Platforms) > 0 {
			b.WriteString(" for " + strings.Join(m.Platforms, ", "))
		}
		if m.Prompt != m.Name {
			fmt.Fprintf(&b, " (%s)", m.Prompt)
		}
		if m.Secret { // others can read a command line
			b.WriteString(": pass --values FILE")
		} else {
			fmt.Fprintf(&b, ": pass --set %s=… or --values FILE", m.Name)
			if len(m.Platforms) > 0 {
				b.WriteString(" (for every platform), or give it a default there")
			}
		}
	}
	return b.String()
}
