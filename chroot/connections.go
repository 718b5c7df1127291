package chroot

import (
	"context"
	"errors"
	"os"
)

// connections are what Run has with the process: its output, its errors where those are apart, its terminal.
type connections struct {
	output   *output
	errors   *output   // nil: with the output
	terminal *terminal // nil: none
}

func newConnections(n Node, failed context.CancelCauseFunc) (*connections, error) {
	c := &connections{}
	var err error
	if c.output, err = newOutput(n.Output, failed); err != nil {
		return nil, err
	}
	if n.Errors != nil {
		if c.errors, err = newOutput(n.Errors, failed); err != nil {
			return nil, errors.Join(err, c.finish(false))
		}
	}
	if n.Terminal != nil {
		if c.terminal, err = newTerminal(n.Terminal); err != nil {
			return nil, errors.Join(err, c.finish(false))
		}
	}
	return c, nil
}

// behind puts init's ends behind the files that it gets anyway, of which the first is that of the output, and says where they are.
func (c *connections) behind(files []*os.File, n Node) ([]*os.File, streams) {
	var s streams
	add := func(f *os.File) int {
		files = append(files, f)
		return len(files) - 1
	}
	if c.errors != nil {
		s.Errors = add(c.errors.write)
	}
	if c.terminal != nil {
		s.Terminal, s.Rows, s.Columns = add(c.terminal.there), n.Terminal.Rows, n.Terminal.Columns
	} else if n.Input != nil {
		s.Input = add(n.Input)
	}
	return files, s
}

// start begins to copy, when init has its ends.
func (c *connections) start() {
	c.output.start()
	if c.errors != nil {
		c.errors.start()
	}
	if c.terminal != nil {
		c.terminal.start()
	}
}

// finish waits for the end of everything, if the copying was started, and closes it.
func (c *connections) finish(started bool) error {
	err := c.output.finish(started)
	if c.errors != nil {
		err = errors.Join(err, c.errors.finish(started))
	}
	if c.terminal != nil {
		err = errors.Join(err, c.terminal.finish(started))
	}
	return err
}
