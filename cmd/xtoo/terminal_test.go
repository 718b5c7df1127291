package main

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"plain text, ümläut, 日本, é\t|":      "plain text, ümläut, 日本, é\t|",
		"\x1b[31mred\x1b[0m":                "\x1b[31mred\x1b[0m",
		"\x1b[1;38;5;9mbold":                "\x1b[1;38;5;9mbold\x1b[m",
		"\x1b[38:2::1:2:3mx\x1b[m":          "\x1b[38:2::1:2:3mx\x1b[m",
		"a\x1b]0;title\x07b":                "ab",
		"a\x1b]0;title\x1b\\b":              "ab",
		"a\x1b]52;c;cm0gLXJm\x07b":          "ab", // the clipboard
		"a\x1b]8;;http://x\x1b\\b":          "ab",
		"a\x1b[2J\x1b[H\x1b[1Ab":            "ab",
		"a\x1b[?1049hb":                     "ab",
		"a\x1b[>4;1mb":                      "ab", // key modes, no colour
		"a\x1b[0%mb":                        "ab",
		"a\x1bcb":                           "ab", // reset
		"a\x1b(0b":                          "ab", // line drawing characters
		"a\x1bP$q\"p\x1b\\b":                "ab",
		"a\x1b_apc\x1b\\b":                  "ab",
		"a\x1b^pm\x1b\\b":                   "ab",
		"a\u009b2Jb\u009d0;t\u009cc\u0085d": "a2Jb0;tcd",
		"a\r\b\x00\x7f\x0eb":                "ab",
		"one\ntwo":                          "onetwo",
		"ends in \x1b":                      "ends in ",
		"ends in \x1b[3":                    "ends in ",
		"ends in \x1b]0;ti":                 "ends in ",
		"latin \xe9 1":                      "latin \ufffd 1",
	} {
		if got := printable(in); got != want {
			t.Errorf("%q: have %q, want %q", in, got, want)
		}
	}
	for _, in := range []string{"a\x9b2Jb", "\x9d0;title\x07", "\x90x\x9c"} { // C1 controls as single bytes
		if got := printable(in); strings.ContainsAny(got, "\x1b\x07") || !utf8.ValidString(got) {
			t.Errorf("%q: have %q", in, got)
		}
	}
}

// FuzzPrintable: whatever comes in, colours are the only control sequences that come out.
func FuzzPrintable(f *testing.F) {
	for _, s := range []string{"\x1b[31mred", "\x1b\x1b[2J", "\x1b]0;\x1b[2J\x07", "\x9b\x1b[m", "\xc2\x1b[2J"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := printable(s)
		for rest := got; ; {
			_, after, found := strings.Cut(rest, "\x1b")
			if !found {
				break
			}
			end := strings.TrimLeft(strings.TrimPrefix(after, "["), "0123456789;:")
			if !strings.HasPrefix(after, "[") || !strings.HasPrefix(end, "m") {
				t.Fatalf("%q: %q", s, got)
			}
			rest = end
		}
		for _, r := range strings.ReplaceAll(got, "\x1b", "") {
			if isControl(r) {
				t.Fatalf("%q: %q has %q", s, got, r)
			}
		}
		if again := printable(got); again != got {
			t.Fatalf("%q: %q becomes %q", s, got, again)
		}
	})
}

func TestSay(t *testing.T) {
	var b bytes.Buffer
	say(&b, "error", "layer \x1b[2Jx\x07: no\nmore\n")
	if got, want := b.String(), "xtoo: error: layer x\ufffd: no\nmore\n"; got != want {
		t.Errorf("have %q, want %q", got, want)
	}
}
