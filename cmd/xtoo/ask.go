package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"xtoo/projects/ask"
)

// canAsk says whether somebody is there to answer. Continuous integration, which says CI=true, may have terminals that
// nobody looks at.
func canAsk() bool {
	switch strings.ToLower(os.Getenv("CI")) {
	case "", "0", "false", "no":
	default:
		return false
	}
	return term.IsTerminal(int(os.Stdin.Fd())) && term.IsTerminal(int(os.Stderr.Fd()))
}

// askOn asks questions on the terminal.
func askOn(ctx context.Context, w io.Writer, questions []ask.Question) ([]ask.Answer, error) {
	in := bufio.NewReader(os.Stdin)
	answers, err := ask.All(ctx, questions, func(ctx context.Context, prompt string, hidden bool) (string, error) {
		return readAnswer(ctx, w, in, filter(prompt, onlyLineEnds), hidden)
	})
	if errors.Is(err, io.EOF) {
		return nil, errors.New("the questions were not answered: the input ended")
	}
	return answers, err
}

// readAnswer reads a line; a secret without showing it. It returns when ctx ends, leaving the terminal as it was.
func readAnswer(ctx context.Context, w io.Writer, in *bufio.Reader, prompt string, secret bool) (_ string, err error) {
	fd := int(os.Stdin.Fd())
	state, err := term.GetState(fd)
	if err != nil {
		return "", err
	}
	if secret { // before the question stands there
		if err := hideInput(fd); err != nil {
			return "", err
		}
		defer func() { err = errors.Join(err, term.Restore(fd, state)) }()
	}
	if _, err := fmt.Fprint(w, prompt); err != nil {
		return "", err
	}
	type answer struct {
		text string
		err  error
	}
	got := make(chan answer, 1)
	go func() {
		text, err := in.ReadString('\n')
		got <- answer{strings.TrimRight(text, "\r\n"), err}
	}()
	select {
	case a := <-got:
		return a.text, a.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// hideInput has a terminal show of what is typed the ends of lines alone, termios(3).
func hideInput(fd int) error {
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return err
	}
	t.Lflag = t.Lflag&^unix.ECHO | unix.ICANON | unix.ISIG | unix.ECHONL
	t.Iflag |= unix.ICRNL
	return unix.IoctlSetTermios(fd, unix.TCSETS, t)
}
