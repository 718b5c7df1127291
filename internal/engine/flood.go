package engine

import (
	"bytes"
	"fmt"
)

// How much of what a script prints is shown and logged: so many lines and bytes of its beginning, and so many bytes of its
// end. What lies between is counted. A script that prints without an end fills no disk, and costs little more than its own
// time.
const (
	headLines = 1_000_000
	headBytes = 64 << 20
	tailBytes = 1 << 20
)

// A floodWriter keeps the beginning and the end of what a script prints. It cuts at the ends of lines, so that no part of a
// secret is left where it cuts.
type floodWriter struct {
	to           *lineWriter
	lines, bytes int64 // that may still be shown as the beginning

	over    bool
	tail    []byte // up to twice tailBytes: moving it is rare
	cut     bool   // the tail is not all that came after the beginning
	pending int64  // lines that came after the beginning
}

func newFloodWriter(to *lineWriter) *floodWriter {
	return &floodWriter{to: to, lines: headLines, bytes: headBytes}
}

// Write implements io.Writer. Its error is that of the lineWriter.
func (w *floodWriter) Write(p []byte) (int, error) {
	rest := p
	if !w.over {
		n := w.head(p)
		if _, err := w.to.Write(p[:n]); err != nil {
			return 0, err
		}
		if rest = p[n:]; w.lines > 0 && w.bytes > 0 {
			return len(p), nil
		}
		w.over = true
		w.to.drop() // it holds something only where a line without an end was cut
		if err := w.to.emit(fmt.Sprintf("… more than %d lines, or %d MiB: of what follows, the end is kept", headLines, headBytes>>20)); err != nil {
			return 0, err
		}
	}
	w.pending += int64(bytes.Count(rest, []byte{'\n'}))
	w.tail = append(w.tail, rest...)
	if len(w.tail) > 2*tailBytes {
		w.tail = append(w.tail[:0], w.tail[len(w.tail)-tailBytes:]...)
		w.cut = true
	}
	return len(p), nil
}

// head counts what of p belongs to the beginning, and returns its length.
func (w *floodWriter) head(p []byte) int {
	end := 0
	for w.lines > 0 && w.bytes > 0 && end < len(p) {
		i := bytes.IndexByte(p[end:], '\n')
		if i < 0 {
			w.bytes -= int64(len(p) - end)
			return len(p)
		}
		w.lines--
		w.bytes -= int64(i + 1)
		end += i + 1
	}
	return end
}

// finish shows the end, when there is no more.
func (w *floodWriter) finish() error {
	if !w.over {
		return w.to.flush()
	}
	tail := w.tail
	if w.cut {
		i := bytes.IndexByte(tail, '\n') // -1: of a line that long nothing is shown
		if tail = tail[i+1:]; i < 0 {
			tail = nil
		}
		out := w.pending - int64(bytes.Count(tail, []byte{'\n'}))
		if err := w.to.emit(fmt.Sprintf("… %d lines are left out here", out)); err != nil {
			return err
		}
	}
	if _, err := w.to.Write(tail); err != nil {
		return err
	}
	return w.to.flush()
}
