package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"xtoo/projects"
)

// canAsk says whether somebody is there to answer.
func canAsk() bool {
	return term.IsTerminal(int(os.Stdin.Fd())) && term.IsTerminal(int(os.Stderr.Fd()))
}

// ask asks for the values that are missing and returns the answers as --set takes them.
func ask(ctx context.Context, w io.Writer, missing []projects.Missing) ([]string, error) {
	in := bufio.NewReader(os.Stdin)
	var answers []string
	for _, m := range missing {
		answer, err := askOne(ctx, w, in, m)
		if err != nil {
			return nil, fmt.Errorf("ask for value %s: %w", m.Name, err)
		}
		answers = append(answers, m.Project+":"+m.Name+"="+answer)
	}
	return answers, nil
}

func askOne(ctx context.Context, w io.Writer, in *bufio.Reader, m projects.Missing) (string, error) {
	text := m.Prompt
	if text == "" {
		text = m.Name
	}
	if len(m.Choices) > 0 {
		text += " (" + strings.Join(m.Choices, ", ") + ")"
	}
	if m.Many {
		text += ", separated by commas"
	}
	for {
		answer, err := readAnswer(ctx, w, in, fmt.Sprintf("%s [%s]: ", text, strings.Join(append([]string{m.Project}, m.Platforms...), ", ")), m.Secret)
		if err != nil || !m.Confirm {
			return answer, err
		}
		again, err := readAnswer(ctx, w, in, "again: ", m.Secret)
		if err != nil {
			return "", err
		}
		if again == answer {
			return answer, nil
		}
		if _, err := fmt.Fprintln(w, "the two answers differ"); err != nil {
			return "", err
		}
	}
}

// readAnswer reads a line; a secret without showing it. It returns when ctx ends, leaving the terminal as it was.
func readAnswer(ctx context.Context, w io.Writer, in *bufio.Reader, prompt string, secret bool) (string, error) {
	if _, err := fmt.Fprint(w, prompt); err != nil {
		return "", err
	}
	fd := int(os.Stdin.Fd())
	state, err := term.GetState(fd)
	if err != nil {
		return "", err
	}
	type answer struct {
		text string
		err  error
	}
	got := make(chan answer, 1)
	go func() {
		if secret {
			text, err := term.ReadPassword(fd)
			got <- answer{string(text), err}
			return
		}
		text, err := in.ReadString('\n')
		got <- answer{strings.TrimRight(text, "\r\n"), err}
	}()
	select {
	case a := <-got:
		if secret {
			_, err = fmt.Fprintln(w)
		}
		return a.text, errors.Join(a.err, err)
	case <-ctx.Done():
		return "", errors.Join(ctx.Err(), term.Restore(fd, state))
	}
}
