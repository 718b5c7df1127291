package main

import (
	"strings"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
)

// printable keeps what others wrote (scripts, configurations of images, names of files) from commanding the terminal:
// of control characters and sequences only tabs and colours are left (SGR, ECMA-48 section 8.3.117), and colours end
// with the text. Line ends and bytes that are no UTF-8 go, too.
func printable(s string) string {
	return filter(s, func(rune) string { return "" })
}

// filter is printable with a say in what stands for a control character.
func filter(s string, control func(rune) string) string {
	if plain(s) {
		return s
	}
	var (
		b        strings.Builder
		p        = ansi.NewParser()
		coloured bool
	)
	for state := ansi.NormalState; s != ""; {
		seq, width, n, next := ansi.DecodeSequence(s, state, p)
		s, state = s[n:], next
		switch {
		case state != ansi.NormalState: // it does not end
		case width == 0 && isColour(seq, ansi.Cmd(p.Command())):
			b.WriteString(seq)
			coloured = !strings.HasSuffix(seq, "[m") && !strings.HasSuffix(seq, "[0m")
		case width == 0 && strings.HasPrefix(seq, "\x1b"):
		default:
			writeText(&b, seq, control)
		}
	}
	if coloured {
		b.WriteString(ansi.ResetStyle)
	}
	return b.String()
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

// isColour tells the one sequence that only changes how text looks: ESC [ numbers m.
func isColour(seq string, c ansi.Cmd) bool {
	return strings.HasPrefix(seq, "\x1b[") && c.Final() == 'm' && c.Prefix() == 0 && c.Intermediate() == 0
}

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
