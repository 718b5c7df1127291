package engine

import (
	"encoding/base64"
	"os/exec"
	"strings"
	"testing"
)

// shown is what a lineWriter makes of a text that comes in pieces of n bytes.
func shown(t testing.TB, r *redactor, text string, n int) []string {
	t.Helper()
	var lines []string
	w := &lineWriter{secrets: r, emit: func(s string) error { lines = append(lines, s); return nil }}
	for len(text) > 0 {
		n := min(n, len(text))
		if _, err := w.Write([]byte(text[:n])); err != nil {
			t.Fatal(err)
		}
		text = text[n:]
	}
	if err := w.flush(); err != nil {
		t.Fatal(err)
	}
	return lines
}

func TestRedact(t *testing.T) {
	for _, c := range []struct {
		name, in, want string
		set            []string
	}{
		{"longest first", "hunter2 hunter2-and-more.", "(secret) (secret).", []string{"a=hunter2", "b=hunter2-and-more"}},
		{"overlapping", "xabcdefx", "x(secret)x", []string{"a=abcd", "b=cdef"}},
		{"one in the other", "xabcdefghx", "x(secret)x", []string{"a=abcdefgh", "b=cdef"}},
		{"side by side", "abcdabcd", "(secret)(secret)", []string{"a=abcd"}},
		{"nearly", "hunter hunter 2", "hunter hunter 2", []string{"a=hunter2"}},
		{"in base64 with its like", "aHVudGVyMg== dXNlcjpodW50ZXIy", "(secret)g== dXNlcjp(secret)", []string{"a=hunter2"}},
		{"none", "anything", "anything", []string{"a="}},
	} {
		got := shown(t, newRedactor(secrets(t, c.set...)), c.in, 1)
		if len(got) != 1 || got[0] != c.want {
			t.Errorf("%s: have %q, want %q", c.name, got, c.want)
		}
	}
}

// TestRedactFlush: a secret in a line without an end is not cut where the line is.
func TestRedactFlush(t *testing.T) {
	const word = "hunter2-and-more"
	r := newRedactor(secrets(t, "a=hunter2", "b="+word))
	for before := maxLine - 60; before < maxLine+60; before += 3 {
		for _, piece := range []int{4096, 1 << 20} {
			got := shown(t, r, strings.Repeat("x", before)+word+strings.Repeat("y", 100), piece)
			if all := strings.Join(got, ""); all != strings.Repeat("x", before)+"(secret)"+strings.Repeat("y", 100) {
				t.Fatalf("%d bytes before it, in pieces of %d: the end is %q", before, piece, all[before-5:])
			}
		}
	}
	long := strings.Repeat("0123456789abcdef", 8<<10) // longer than a line may be
	got := strings.Join(shown(t, newRedactor(secrets(t, "a="+long)), "x"+long+long+"y", 4096), "")
	if strings.Contains(got, "0123456789abcdef") || !strings.HasPrefix(got, "x(secret)") || !strings.HasSuffix(got, "y") {
		t.Errorf("a long secret: %d bytes are shown", len(got))
	}
}

// TestRedactShells: what shells show of the commands that they execute, by the shells that are here.
func TestRedactShells(t *testing.T) {
	awkward := []string{`it's a riddle`, `a''b''' c`, `back\slash and "double" $x`, "tab\tand `ticks`", `p@ss;word&more*`, `ünï cödé'x`}
	for _, word := range awkward {
		r := newRedactor(secrets(t, "a="+word))
		for _, command := range [][]string{{"dash", "-x"}, {"bash", "-x"}, {"busybox", "sh", "-x"}, {"sh", "-x"}, {"bash"}} {
			if _, err := exec.LookPath(command[0]); err != nil {
				continue // sh is one of them
			}
			script := `: "$1"; : "pre$1"; v=$1; w="$1-post"; printf '%s' "$1" | base64 -w0; `
			if command[0] == "bash" {
				script += `printf '%q\n' "$1"; declare -p v`
			}
			args := append(append([]string{}, command[1:]...), "-c", script, "sh", word)
			out, err := exec.CommandContext(t.Context(), command[0], args...).CombinedOutput()
			if err != nil {
				t.Logf("%q: %v", command, err) // it may not know all of it
			}
			for line := range strings.Lines(string(out)) {
				line = strings.Join(shown(t, r, line, 5), "")
				for _, part := range strings.FieldsFunc(word, func(r rune) bool { return strings.ContainsRune(" '\"\\`$;&*\t", r) }) {
					if len(part) > 2 && strings.Contains(line, part) {
						t.Errorf("%q shows %q of %q in %q", command, part, word, line)
					}
				}
			}
		}
	}
}

// TestRedactBase64: in base64, whatever stands before and after, and wherever the lines break.
func TestRedactBase64(t *testing.T) {
	secret := "correct horse battery staple, and what a long text needs to fill more than one line of base64 " + strings.Repeat("0123456789", 20)
	for _, word := range []string{"hunter2", "swordfish!", secret} {
		r := newRedactor(secrets(t, "a="+word))
		for before := range 7 {
			for _, enc := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
				text := enc.EncodeToString([]byte(strings.Repeat("u", before) + word + "\nnext"))
				got := strings.Join(shown(t, r, text, 100), "")
				if most := len(enc.EncodeToString([]byte(strings.Repeat("u", before)+"\nnext"))) + len("(secret)") + 4; len(got) > most {
					t.Errorf("%d before %q: %q", before, word, got)
				}
			}
		}
	}
}

// TestRedactBrokenLines: in base64 that is broken into lines, wherever the secret is in it, next to nothing of it is shown.
func TestRedactBrokenLines(t *testing.T) {
	long := strings.Repeat("correct horse battery staple ", 9)
	for _, word := range []string{"hunter2", "swordfish!", "Tr0ub4dor&3 is not a good one", long} {
		r := newRedactor(secrets(t, "a="+word))
		for _, column := range []int{64, 76} {
			for before := range 80 {
				text := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("u", before) + word + strings.Repeat("v", 100)))
				var lines []string
				for len(text) > column {
					lines = append(lines, text[:column])
					text = text[column:]
				}
				got := strings.Join(shown(t, r, strings.Join(append(lines, text), "\n"), 10), "")
				got = strings.ReplaceAll(got, "(secret)", "")
				// What is around it, and of it what shares bytes with that or is the shorter part of a broken line.
				if most := (before+100)/3*4 + 4 + 8; len(got) > most {
					t.Fatalf("lines of %d, %d before %q: %d bytes are shown: %s", column, before, word, len(got)-most, got)
				}
			}
		}
	}
}

func BenchmarkRedact(b *testing.B) {
	lines := []byte(strings.Repeat("checking for something in a line of a build's log... yes\n", 1000))
	set := secrets(b, "a=hunter2", "b="+strings.Repeat("long secret\n", 50))
	w := &lineWriter{secrets: newRedactor(set), emit: func(string) error { return nil }}
	b.SetBytes(int64(len(lines)))
	for b.Loop() {
		if _, err := w.Write(lines); err != nil {
			b.Fatal(err)
		}
	}
}
