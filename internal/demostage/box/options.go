package main

import (
	"fmt"
	"strings"
)

// options parses short options the way getopt does: spec has the known letters, one that takes a value is followed
// by a colon. The map holds "" for a letter that takes none. Operands end the options, and so does "--".
func options(args []string, spec string) (map[byte]string, []string, error) {
	got := map[byte]string{}
	for len(args) > 0 {
		a := args[0]
		if a == "--" {
			return got, args[1:], nil
		}
		if len(a) < 2 || a[0] != '-' {
			break
		}
		args = args[1:]
		for i := 1; i < len(a); i++ {
			at := strings.IndexByte(spec, a[i])
			if at < 0 || a[i] == ':' {
				return nil, nil, exitError{2, fmt.Sprintf("unknown option -%c", a[i])}
			}
			if at+1 == len(spec) || spec[at+1] != ':' {
				got[a[i]] = ""
				continue
			}
			value := a[i+1:]
			if value == "" {
				if len(args) == 0 {
					return nil, nil, exitError{2, fmt.Sprintf("option -%c needs a value", a[i])}
				}
				value, args = args[0], args[1:]
			}
			got[a[i]] = value
			break
		}
	}
	return got, args, nil
}

// has reports whether any of the letters was given.
func has(got map[byte]string, letters string) bool {
	for i := range len(letters) {
		if _, ok := got[letters[i]]; ok {
			return true
		}
	}
	return false
}

// need fails when there are fewer operands than a tool must have.
func need(args []string, n int, usage string) error {
	if len(args) < n {
		return exitError{2, "usage: " + usage}
	}
	return nil
}
