package schema

import (
	"fmt"
	"sort"
	"strings"
)

// Problem is one thing that is wrong, or worth knowing.
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

// Errors is every problem that was found, sorted by position.
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

// Problems collects problems. The zero value has none. Its methods are not safe for concurrent use.
type Problems struct {
	list []Problem
	more bool
}

// Add adds a problem. What is beyond some hundreds is dropped, and the error says so.
func (ps *Problems) Add(p Problem) {
	if len(ps.list) >= maxProblems {
		ps.more = true
		return
	}
	ps.list = append(ps.list, p)
}

// AddAll adds what another has collected.
func (ps *Problems) AddAll(other *Problems) {
	for _, p := range other.list {
		ps.Add(p)
	}
	ps.more = ps.more || other.more
}

// Addf adds a problem without a hint.
func (ps *Problems) Addf(pos Position, format string, args ...any) {
	ps.Add(Problem{Pos: pos, Msg: fmt.Sprintf(format, args...)})
}

// Hintf adds a problem with a hint: what to do about it.
func (ps *Problems) Hintf(pos Position, hint, format string, args ...any) {
	ps.Add(Problem{Pos: pos, Msg: fmt.Sprintf(format, args...), Hint: hint})
}

// Sorted returns the problems by position, each once.
func (ps *Problems) Sorted() []Problem {
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

// Len is how many problems there are, those that were dropped aside.
func (ps *Problems) Len() int { return len(ps.list) }

// Err is an [*Errors], or nil when nothing was collected.
func (ps *Problems) Err() error {
	if len(ps.list) == 0 {
		return nil
	}
	list := ps.Sorted()
	if ps.more {
		list = append(list, Problem{Msg: fmt.Sprintf("more than %d problems: the rest is not shown", maxProblems)})
	}
	return &Errors{List: list}
}
