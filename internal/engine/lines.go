package engine

import (
	"bytes"
	"strings"
)

// maxLine is how much of a line without an end is kept back before it is shown, in bytes.
const maxLine = 64 << 10

// A lineWriter cuts what a script prints into lines, and takes secrets out of them: a script that shows one by mistake
// (sh -x) must not put it into a log.
type lineWriter struct {
	emit    func(string) error
	secrets *redactor
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
	if len(w.rest) >= maxLine+2*w.secrets.longest {
		// The beginning of a secret may be the end of what there is.
		n := w.secrets.cut(w.rest)
		if err := w.line(w.rest[:n]); err != nil {
			return 0, err
		}
		w.rest = append([]byte(nil), w.rest[n:]...)
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
	return w.emit(strings.TrimSuffix(string(w.secrets.hide(b)), "\r"))
}

// drop forgets the rest.
func (w *lineWriter) drop() { w.rest = nil }
