package projects

import (
	"fmt"
	"strings"

	"xtoo/projects/schema"
)

// MissingError says which values nobody gave. It is returned by [Tree.Resolve] alone, when nothing else is
// wrong: answers can be added to [Given.Set] as "TAG:NAME=VALUE".
type MissingError struct {
	List []Missing
}

// Missing is a value that has no default and was not given.
type Missing struct {
	Project string // tag of the project that declares it
	Name    string
	Prompt  string // what to ask; the name where the configuration has no prompt
	Choices []string
	Many    bool // several answers, separated by commas
	Secret  bool // do not echo
	Confirm bool // ask twice
	// Platforms are those that it is missing for, where it has defaults of single architectures.
	Platforms []string
	pos       schema.Position
}

// Error lists all that is missing.
func (e *MissingError) Error() string {
	var b strings.Builder
	for i, m := range e.List {
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
