package engine

import (
	"bytes"
	"strings"

	"xtoo/projects"
)

// maxLine is how much of a line without an end is kept back before it is shown, in bytes.
const maxLine = 64 << 10

// minSecret is the length in bytes below which a secret is not looked for: it would be found everywhere.
const minSecret = 4

// A lineWriter cuts what a script prints into lines, and takes secrets out of them: a script that shows one by mistake
// (sh -x) must not put it into a log.
type lineWriter struct {
	emit    func(string) error
	secrets map[string]*projects.Secret
	rest    []byte
}

// Write implements io.Writer. Its error is that of emit.
func (w *lineWriter) Write(p []byte) (int, error) {
	w.rest = append(w.rest, p...)
	for {
		i := bytes.IndexByte(w.rest, '\n')
		if i < 0 {
			break
		}
		if err := w.line(w.rest[:i]); err != nil {
			return 0, err
		}
		w.rest = w.rest[i+1:]
	}
	if len(w.rest) >= maxLine {
		if err := w.flush(); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

// flush emits the rest, a line without an end.
func (w *lineWriter) flush() error {
	if len(w.rest) == 0 {
		return nil
	}
	err := w.line(w.rest)
	w.rest = nil
	return err
}

func (w *lineWriter) line(b []byte) error {
	line := strings.TrimSuffix(string(b), "\r")
	for _, s := range w.secrets {
		for part := range strings.Lines(s.Reveal()) {
			if part = strings.TrimSuffix(part, "\n"); len(part) >= minSecret {
				line = strings.ReplaceAll(line, part, s.String())
			}
		}
	}
	return w.emit(line)
}
