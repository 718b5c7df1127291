package sif

import "strings"

// quote returns s as one word of POSIX sh that stands for s itself, whatever s holds. Zero bytes cannot be
// in a word, nor in an argument or a variable: they are left out.
func quote(s string) string {
	// A single quote is put between double quotes, and not behind a backslash as is usual: the interpreter that
	// Apptainer is built with (mvdan.cc/sh) keeps such a backslash in assignments.
	s = strings.ReplaceAll(s, "\x00", "")
	return "'" + strings.ReplaceAll(s, "'", `'"'"'`) + "'"
}

// quoteAll returns args as words of POSIX sh, with a space between.
func quoteAll(args []string) string {
	words := make([]string, len(args))
	for i, a := range args {
		words[i] = quote(a)
	}
	return strings.Join(words, " ")
}

// isName says whether s is a name that POSIX sh can assign to.
func isName(s string) bool {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '_' || c|0x20 >= 'a' && c|0x20 <= 'z':
		case i > 0 && c >= '0' && c <= '9':
		default:
			return false
		}
	}
	return s != ""
}
