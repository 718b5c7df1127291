package local

import (
	"context"
	"errors"
	"io"
	"os"

	"xtoo/chroot"
	"xtoo/internal/engine"
)

// A Session is what somebody executes where a script would be.
type Session struct {
	// Commands: the first of them that can be executed is. Where none can, the error is a [chroot.ErrNotExecutable].
	Commands [][]string
	// Input, Output, Errors and Terminal are as those of a [chroot.Node].
	Input          *os.File
	Output, Errors io.Writer
	Terminal       *chroot.Terminal
}

// Session executes a session in place of a job's script, and throws away what it changes. Nothing is executed twice: records are shown from
// the beginning, and all calls looked at.
func (r *Runner) Session(ctx context.Context, j engine.Job, s Session) (engine.Outcome, error) {
	j.Discard = true
	var out engine.Outcome
	var err error
	for _, c := range s.Commands {
		j.Interpreter = c
		out, err = r.execute(ctx, execution{r: r, job: j, site: engine.Site{Output: s.Output}, session: &s})
		if !errors.Is(err, chroot.ErrNotExecutable) {
			break
		}
	}
	return out, err
}

// join makes a node that of the session.
func (s *Session) join(n *chroot.Node) {
	args := n.Spec.Process.Args
	n.Spec.Process.Args = args[:len(args)-1] // the last one is the script
	n.Input, n.Errors, n.Terminal = s.Input, s.Errors, s.Terminal
}
