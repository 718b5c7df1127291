package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"xtoo/projects"
	"xtoo/projects/schema"
)

// perform executes the job of a node or a check, and keeps what it prints, in a log whose name ends in suffix. Its path is returned.
// A script that does not end well is a [*ScriptError].
func (b *build) perform(ctx context.Context, st *nodeState, j Job, suffix string) (out Outcome, logPath string, err error) {
	n, p := st.node, st.project
	label := p.Project.Tag + "-" + n.Path + suffix
	if st.check != nil {
		label = p.Project.Tag + "-check-" + n.Path
	}
	logPath, err = b.o.Store.LogPath(st.key, label)
	if err != nil {
		return out, "", err
	}
	log, err := os.Create(logPath)
	if err != nil {
		return out, "", fmt.Errorf("keep what %s prints: %w", st.what(), err)
	}
	var end lastLines
	lines := &lineWriter{secrets: newRedactor(n.Secrets()), emit: func(line string) error {
		ev := st.about(EventOutput)
		ev.Text = line
		b.o.Events(ev)
		end.add(line)
		_, err := log.WriteString(line + "\n")
		return err
	}}
	flood := newFloodWriter(lines)
	out, err = b.o.Runner.Run(ctx, j, Site{Secret: secretsOf(n), Output: flood})
	if err := errors.Join(err, flood.finish(), log.Close()); err != nil {
		return out, "", st.failed(err)
	}
	for _, text := range out.Skipped {
		b.warn(n.Path + ": not in the layer: " + text)
	}
	for _, text := range out.Notes {
		b.warn(n.Path + ": " + text)
	}
	if what := out.failure(j.Limits); what != "" {
		failed := &ScriptError{project: projects.Label(p.Project.Tag, p.Platform()), script: st.what(), pos: n.Pos, what: what, log: logPath}
		if st.check != nil {
			failed.end = end.lines
		}
		return out, "", failed
	}
	return out, logPath, nil
}

// failure says how a script has ended that did not end well; empty: it did.
func (o *Outcome) failure(l Limits) string {
	switch {
	case o.Late:
		return fmt.Sprintf("took longer than its timeout of %s, and was ended", l.Timeout)
	case o.Signal != 0:
		return fmt.Sprintf("was killed by signal %d (%s)", o.Signal, o.Said)
	case o.Exit != 0:
		return fmt.Sprintf("exited with code %d", o.Exit)
	}
	return ""
}

// How much of what a check printed stands in its error.
const (
	shownLines = 10
	shownLine  = 400 // bytes of a line
)

// lastLines are the last lines of what was printed, each of bounded length.
type lastLines struct{ lines []string }

func (l *lastLines) add(line string) {
	if len(line) > shownLine {
		line = strings.ToValidUTF8(line[:shownLine], "") + "…"
	}
	if len(l.lines) == shownLines {
		copy(l.lines, l.lines[1:])
		l.lines = l.lines[:shownLines-1]
	}
	l.lines = append(l.lines, line)
}

// A ScriptError says that the script of a node or of a check did not end well.
type ScriptError struct {
	project string // with its platform
	script  string // "node base", "check ssh"
	pos     schema.Position
	what    string   // it did: "exited with code 3", "was killed by signal 9 (killed)"
	log     string   // the file that holds everything it printed
	end     []string // of what a check printed
}

func (e *ScriptError) Error() string {
	text := fmt.Sprintf("%s: %s of project %s: its script %s", e.pos, e.script, e.project, e.what)
	if len(e.end) > 0 {
		text += "; the end of what it printed:\n  " + strings.Join(e.end, "\n  ")
	}
	return text
}

// Hint says where to read on.
func (e *ScriptError) Hint() string { return "everything it printed is in " + e.log }
