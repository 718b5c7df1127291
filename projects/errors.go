package projects

import (
	"fmt"
	"sort"
	"strings"
)

// Position is a place in a file. Line and Column count from 1, the column in characters; 0 means: the
// file as a whole.
type Position struct {
	File   string // as it can be opened from the current directory
	Line   int
	Column int
}

// String is "FILE:LINE:COLUMN", as compilers print it.
func (p Position) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

func (p Position) before(q Position) bool {
	if p.File != q.File {
		return p.File < q.File
	}
	if p.Line != q.Line {
		return p.Line < q.Line
	}
	return p.Column < q.Column
}

// Problem is one thing that is wrong, or (in [Tree.Warnings]) worth knowing.
type Problem struct {
	Pos  Position // zero when the problem is in no file (--set)
	Msg  string   // what is wrong, in one line
	Hint string   // what to do about it; may be empty
	Err  error    // the cause, when it came from the system; may be nil
}

// Error is the position and the message, without the hint.
func (p Problem) Error() string {
	if p.Pos.File == "" {
		return p.Msg
	}
	return p.Pos.String() + ": " + p.Msg
}

// Unwrap returns the cause.
func (p Problem) Unwrap() error { return p.Err }

// Errors is every problem that was found, sorted by position. It is the error that the functions of this
// package return for wrong configurations and wrong values.
type Errors struct {
	List []Problem
}

// Error is one line a problem, each with its hint in parentheses.
func (e *Errors) Error() string {
	var b strings.Builder
	for i, p := range e.List {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(p.Error())
		if p.Hint != "" {
			b.WriteString(" (" + p.Hint + ")")
		}
	}
	return b.String()
}

// Unwrap returns the problems, so that errors.Is and errors.As see their causes.
func (e *Errors) Unwrap() []error {
	out := make([]error, len(e.List))
	for i, p := range e.List {
		out[i] = p
	}
	return out
}

// maxProblems bounds what one run reports: what is beyond it follows from what is before it, or the input
// is rubbish.
const maxProblems = 200

// problems collects problems. Its methods are not safe for concurrent use.
type problems struct {
	list []Problem
	more bool
}

func (ps *problems) add(p Problem) {
	if len(ps.list) >= maxProblems {
		ps.more = true
		return
	}
	ps.list = append(ps.list, p)
}

func (ps *problems) addf(pos Position, format string, args ...any) {
	ps.add(Problem{Pos: pos, Msg: fmt.Sprintf(format, args...)})
}

func (ps *problems) hintf(pos Position, hint, format string, args ...any) {
	ps.add(Problem{Pos: pos, Msg: fmt.Sprintf(format, args...), Hint: hint})
}

// sorted returns the problems by position, each once.
func (ps *problems) sorted() []Problem {
	list := append([]Problem(nil), ps.list...)
	sort.SliceStable(list, func(i, j int) bool { return list[i].Pos.before(list[j].Pos) })
	type text struct {
		pos Position
		msg string
	}
	seen := map[text]bool{}
	out := list[:0]
	for _, p := range list {
		if t := (text{p.Pos, p.Msg}); !seen[t] {
			seen[t] = true
			out = append(out, p)
		}
	}
	return out
}

// err is nil when nothing was collected.
func (ps *problems) err() error {
	if len(ps.list) == 0 {
		return nil
	}
	list := ps.sorted()
	if ps.more {
		list = append(list, Problem{Msg: fmt.Sprintf("more than %d problems: the rest is not shown", maxProblems)})
	}
	return &Errors{List: list}
}

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
	Pos       Position
}

// Error lists all that is missing.
func (e *MissingError) Error() string {
	var b strings.Builder
	for i, m := range e.List {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "%s: value %q of project %q is not given", m.Pos, m.Name, m.Project)
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
