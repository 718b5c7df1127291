package main

import (
	"strings"
	"unicode/utf8"
)

// printable keeps what others wrote (scripts, configurations of images, names of files) from commanding the terminal:
// of control characters and sequences only tabs and colours are left (SGR, ECMA-48 section 8.3.117), and colours end
// with the text. Line ends and bytes that are no UTF-8 go, too.
func printable(s string) string {
	return filter(s, func(rune) string { return "" })
}

// printableText is printable for a text of several lines: their ends stay.
func printableText(s string) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		lines[i] = printable(line)
	}
	return strings.Join(lines, "\n")
}

// filter is printable with a say in what stands for a control character.
func filter(s string, control func(rune) string) string {
	if plain(s) {
		return s
	}
	var b strings.Builder
	coloured := false
	for s != "" {
		text, rest, found := strings.Cut(s, "\x1b")
		writeText(&b, text, control)
		if !found {
			break
		}
		s = rest
		n, colour := sequence(s)
		if colour {
			b.WriteString("\x1b" + s[:n])
			coloured = s[:n] != "[m" && !strings.HasSuffix(s[:n], "[0m")
		}
		s = s[n:]
	}
	if coloured {
		b.WriteString(resetStyle)
	}
	return b.String()
}

// resetStyle ends all colours.
const resetStyle = "\x1b[m"

// sequence returns how long the control sequence is that s continues after an ESC (ECMA-48 section 5), all of s if it does not
// end, and tells the one kind that only changes how text looks: ESC [ numbers m.
func sequence(s string) (n int, colour bool) {
	if s == "" {
		return 0, false
	}
	switch s[0] {
	case '[':
		numbers := span(s[1:], '0', '?')
		n = 1 + numbers + span(s[1+numbers:], ' ', '/')
		if n == len(s) || s[n] < '@' || s[n] > '~' {
			return n, false
		}
		return n + 1, s[n] == 'm' && n == 1+numbers && strings.Trim(s[1:n], "0123456789;:") == ""
	case ']', 'P', 'X', '^', '_': // a string, up to ESC \, or, as terminals have it, BEL
		n = strings.IndexAny(s, "\x1b\x07\x18\x1a")
		switch {
		case n < 0:
			return len(s), false
		case strings.HasPrefix(s[n:], "\x1b\\"):
			return n + 2, false
		case s[n] == 0x1b:
			return n, false // the next one
		}
		return n + 1, false
	}
	n = span(s, ' ', '/')
	if n < len(s) && s[n] >= '0' && s[n] <= '~' {
		n++
	}
	return n, false
}

// span counts the bytes that s begins with and that are within two.
func span(s string, from, to byte) int {
	n := 0
	for n < len(s) && s[n] >= from && s[n] <= to {
		n++
	}
	return n
}

// plain tells a text that has nothing to take out.
func plain(s string) bool {
	for _, r := range s {
		if isControl(r) || r == utf8.RuneError {
			return false
		}
	}
	return true
}

func isControl(r rune) bool { return r < ' ' && r != '\t' || r >= 0x7f && r < 0xa0 }

func writeText(b *strings.Builder, text string, control func(rune) string) {
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRuneInString(text[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			b.WriteRune(utf8.RuneError) // a single byte of another encoding: a terminal may take it for a C1 control
		case isControl(r):
			b.WriteString(control(r))
		default:
			b.WriteRune(r)
		}
		i += n
	}
}
