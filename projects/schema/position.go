package schema

import "fmt"

// Position is a place in a file. Line and Column count from 1, the column in characters; 0 means: the
// file as a whole.
type Position struct {
	File   string // as it can be opened from the current directory, or found by who named the source
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

// before reports whether p comes first: by file, then by line, then by column.
func (p Position) before(q Position) bool {
	if p.File != q.File {
		return p.File < q.File
	}
	if p.Line != q.Line {
		return p.Line < q.Line
	}
	return p.Column < q.Column
}
