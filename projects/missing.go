package projects

import (
	"cmp"
	"fmt"
	"slices"
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

// sortMissing puts the values of a project, which stand side by side, in the order of its configuration.
func sortMissing(list []missing) {
	first := map[string]int{}
	for i, m := range list {
		if _, ok := first[m.Project]; !ok {
			first[m.Project] = i
		}
	}
	slices.SortStableFunc(list, func(a, b missing) int {
		return cmp.Or(cmp.Compare(first[a.Project], first[b.Project]), cmp.Compare(a.pos.File, b.pos.File), cmp.Compare(a.pos.Line, b.pos.Line))
	})
}

// Questions are what to ask for, in order.
func (e *MissingError) Questions() []ask.Question {
	out := make([]ask.Question, len(e.list))
	for i, m := range e.list {
		out[i] = m.Question
	}
	return out
}

// Error lists all that is missing, with the option that gives each.
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
			fmt.Fprintf(&b, ": pass --secret %s:%s=file:PATH", m.Project, m.Name)
		} else {
			fmt.Fprintf(&b, ": pass --set %s:%s=…", m.Project, m.Name)
			if len(m.Platforms) > 0 {
				b.WriteString(" (for every platform), or give it a default there")
			}
		}
	}
	return b.String()
}

// Hint says how all of it can be given at once.
func (e *MissingError) Hint() string {
	return "or put them into a file for --values FILE, as 'NAME: VALUE', or into " + valuePrefix + "<NAME>; on a terminal, xtoo asks"
}
