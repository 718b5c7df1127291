// Package minish is the smallest shell that the tests of runners need: a fake runner interprets its scripts in memory, and a real one
// executes it as a program. It knows no engine.
//
// A script is a line a command: `echo WORDS`, `echo WORDS > PATH`, `cat PATH`, `env NAME`, `rm PATH`, `sleep SECONDS`, `exit CODE`, `pwd`,
// `id` (the user's number), and comments.
package minish

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A World is what a script can see and change.
type World interface {
	Print(text string)
	Read(path string) (string, error)
	Write(path, text string) error
	Remove(path string) error
	Env(name string) string
	Dir() string
	User() string
	Sleep(d time.Duration) error
}

// Run executes a script and returns its exit code.
func Run(script string, w World) int {
	for line := range strings.Lines(script) {
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		if words[0] == "exit" {
			code, err := strconv.Atoi(strings.Join(words[1:], " "))
			if err != nil {
				return 2
			}
			return code
		}
		if err := command(words, w); err != nil {
			w.Print(fmt.Sprintf("%s: %v\n", words[0], err))
			return 1
		}
	}
	return 0
}

func command(words []string, w World) error {
	rest := strings.Join(words[1:], " ")
	switch words[0] {
	case "echo":
		if text, path, ok := strings.Cut(rest, " > "); ok {
			return w.Write(path, text+"\n")
		}
		w.Print(rest + "\n")
		return nil
	case "cat":
		text, err := w.Read(rest)
		if err == nil {
			w.Print(text)
		}
		return err
	case "rm":
		return w.Remove(rest)
	case "pwd":
		w.Print(w.Dir() + "\n")
		return nil
	case "id":
		w.Print(w.User() + "\n")
		return nil
	case "env":
		w.Print(w.Env(rest) + "\n")
		return nil
	case "sleep":
		n, err := strconv.Atoi(rest)
		if err != nil {
			return err
		}
		return w.Sleep(time.Duration(n) * time.Second)
	}
	return fmt.Errorf("not known")
}
