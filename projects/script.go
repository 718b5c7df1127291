package projects

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"xtoo/projects/schema"
)

// defaultInterpreter runs scripts without a #! line.
const defaultInterpreter = "/bin/sh"

// maxShebang is how much of a #! line the kernel reads (BINPRM_BUF_SIZE).
const maxShebang = 255

// interpreter reads the #! line of a script the way the kernel does (execve(2), "Interpreter scripts"): a
// path and at most one argument, which is all the rest of the line.
func interpreter(body []byte) ([]string, error) {
	if bytes.HasPrefix(body, []byte("\x7fELF")) {
		return nil, errors.New("it is a program, not a script: name it under \"files\" and run it from a script")
	}
	if bytes.HasPrefix(body, []byte("\xef\xbb\xbf#!")) {
		return nil, errors.New("there is a byte order mark before its #! line: save it as UTF-8 without one")
	}
	if !bytes.HasPrefix(body, []byte("#!")) {
		if line, _, _ := bytes.Cut(body, []byte("\n")); bytes.HasSuffix(line, []byte("\r")) {
			return nil, errCRLF
		}
		return []string{defaultInterpreter}, nil
	}
	line, _, _ := bytes.Cut(body[2:], []byte("\n"))
	if bytes.HasSuffix(line, []byte("\r")) {
		return nil, errCRLF
	}
	if len(line) > maxShebang {
		return nil, fmt.Errorf("its #! line has more than the %d characters that Linux reads", maxShebang)
	}
	text := strings.Trim(string(line), " \t")
	path, arg := text, ""
	if i := strings.IndexAny(text, " \t"); i >= 0 {
		path, arg = text[:i], strings.Trim(text[i:], " \t")
	}
	if !strings.HasPrefix(path, "/") || strings.ContainsRune(text, 0) {
		return nil, fmt.Errorf("its #! line does not name an interpreter by an absolute path: %q", "#!"+schema.Shorten(string(line)))
	}
	if arg == "" {
		return []string{path}, nil
	}
	return []string{path, arg}, nil
}

var errCRLF = errors.New("its lines end in CR LF, as on Windows: Linux would look for an interpreter with a carriage return in its name; convert it (sed -i 's/\\r$//')")
