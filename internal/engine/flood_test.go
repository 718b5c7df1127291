package engine

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"
)

// How much of the beginning is shown in tests, which need not wait for a million lines.
const fewLines, fewBytes = 1000, 4 << 20

// flooded is what becomes of what write prints: the lines that are shown.
func flooded(t *testing.T, write func(w *floodWriter)) []string {
	t.Helper()
	var shown []string
	w := newFloodWriter(&lineWriter{secrets: newRedactor(nil), emit: func(line string) error {
		shown = append(shown, line)
		return nil
	}})
	w.lines, w.bytes = fewLines, fewBytes
	write(w)
	if err := w.finish(); err != nil {
		t.Fatal(err)
	}
	return shown
}

func mustWrite(w *floodWriter, p []byte) {
	if n, err := w.Write(p); n != len(p) || err != nil {
		panic(fmt.Sprint(n, err))
	}
}

// A hundred million lines take a moment, and little of them is kept: the beginning and the end.
func TestFlood(t *testing.T) {
	chunk := bytes.Repeat([]byte("y\n"), 32<<10)
	chunks := 100_000_000 * 2 / len(chunk)
	begun := time.Now()
	shown := flooded(t, func(w *floodWriter) {
		mustWrite(w, []byte("first\n"))
		for range chunks {
			mustWrite(w, chunk)
		}
		mustWrite(w, []byte("last\n"))
	})
	if took := time.Since(begun); took > 30*time.Second {
		t.Errorf("it took %v", took)
	}
	all := int64(chunks)*int64(len(chunk))/2 + 2
	if len(shown) < fewLines || len(shown) > fewLines+tailBytes || shown[0] != "first" || shown[len(shown)-1] != "last" {
		t.Errorf("%d lines are shown, from %q to %q", len(shown), shown[0], shown[len(shown)-1])
	}
	if want := fmt.Sprintf("… %d lines are left out here", all-int64(len(shown)-2)); shown[fewLines+1] != want {
		t.Errorf("%q, want %q", shown[fewLines+1], want)
	}
}

// What is only a little too much is shown whole; a line without an end is not.
func TestFloodEdges(t *testing.T) {
	shown := flooded(t, func(w *floodWriter) {
		for i := range fewLines + 3 {
			mustWrite(w, fmt.Appendf(nil, "%d\n", i))
		}
		mustWrite(w, []byte("no end"))
	})
	if len(shown) != fewLines+5 || shown[fewLines] == fmt.Sprint(fewLines) || shown[fewLines+1] != fmt.Sprint(fewLines) || shown[fewLines+4] != "no end" {
		t.Errorf("%d lines, then %q", len(shown), shown[fewLines:])
	}
	shown = flooded(t, func(w *floodWriter) {
		zeros := make([]byte, 1<<20)
		for range fewBytes>>20 + 5 {
			mustWrite(w, zeros)
		}
	})
	if last := shown[len(shown)-1]; !strings.HasPrefix(last, "… 0 lines are left out") {
		t.Errorf("%d lines, the last %.60q", len(shown), last)
	}
}
