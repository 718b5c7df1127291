package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A seat is a terminal at which a test sits.
type seat struct {
	t      *testing.T
	master *os.File
	cmd    *exec.Cmd
	shown  bytes.Buffer
}

// sit starts a command on a terminal of its own.
func sit(t *testing.T, cmd *exec.Cmd) *seat {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = master.Close() })
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := errors.Join(cmd.Start(), slave.Close()); err != nil {
		t.Fatal(err)
	}
	return &seat{t: t, master: master, cmd: cmd}
}

// until reads until the screen has a text that it did not have before.
func (s *seat) until(text string) string {
	s.t.Helper()
	var got bytes.Buffer
	buf := make([]byte, 4096)
	for !strings.Contains(strings.ReplaceAll(got.String(), "\r\n", "\n"), text) {
		n, err := s.master.Read(buf)
		got.Write(buf[:n])
		s.shown.Write(buf[:n])
		if err != nil {
			s.t.Fatalf("waiting for %q: %v\n%s", text, err, s.shown.String())
		}
	}
	return strings.ReplaceAll(got.String(), "\r\n", "\n")
}

// endOfInput is Ctrl-D.
const endOfInput = "\x04"

// answer types a line once the screen shows the question. A line is echoed, or not.
func (s *seat) answer(question, line string) {
	s.t.Helper()
	s.until(question)
	if line != endOfInput {
		line += "\n"
	}
	if _, err := s.master.WriteString(line); err != nil {
		s.t.Fatal(err)
	}
}

// leave waits for the command to end; the error is its.
func (s *seat) leave() error {
	_, err := io.Copy(&s.shown, s.master)
	if err != nil && !errors.Is(err, syscall.EIO) { // the other end is closed
		s.t.Error(err)
	}
	return s.cmd.Wait()
}

const askedConfig = `
from: {image: scratch, arch: amd64}
values:
  hostname: {prompt: Host name, pattern: "[a-z]+", help: "Shown at the login."}
  pw: {prompt: Root password, secret: true, min: 6}
  programs: {prompt: Programs, choices: [vim, tmux, git], many: true}
  debug: {type: bool}
image: {labels: {label: "{{ .values.hostname }} {{ .values.programs }} {{ .values.debug }}"}}
`

// withoutCI is an environment in which somebody may be asked.
func withoutCI(env []string) []string {
	return append(env, "CI=", "TERM=dumb")
}

func TestQuestions(t *testing.T) {
	b := newWork(t, map[string]string{"top": askedConfig, "top/host": "values: {disk: {choices: [sda, sdb]}}"})
	answers := filepath.Join(t.TempDir(), "answers.yaml")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := b.command(ctx, "build", "--record", answers)
	cmd.Env = withoutCI(cmd.Env)
	s := sit(t, cmd)
	s.answer("Project top:\n\n  Host name\n    Shown at the login.\n  Host name: ", "Box1")
	s.answer("  Not taken: \"Box1\" does not match the pattern [a-z]+\n  Host name: ", "box")
	s.answer("  Root password (at least 6 characters; not shown): ", "hunt")
	s.answer("  Not taken: it must have at least 6 characters\n  Root password (at least 6 characters; not shown): ", "hunter2-long")
	s.answer("  The same again: ", "hunter2-lang")
	s.answer("  Not taken: the two answers differ\n", "hunter2-long")
	s.answer("  The same again: ", "hunter2-long")
	s.answer("    1 vim\n    2 tmux\n    3 git\n  Programs (numbers or names, separated by commas): ", "4")
	s.answer("  Not taken: \"4\" is none of the choices: vim, tmux, git\n", "3,vim")
	s.answer("  debug (yes or no): ", "y")
	s.answer("\nProject top/host:\n\n  disk\n    1 sda\n    2 sdb\n  disk (number or name): ", "2")
	if err := s.leave(); err != nil {
		t.Fatalf("%v\n%s", err, s.shown.String())
	}
	if strings.Contains(s.shown.String(), "hunt") {
		t.Errorf("a secret is shown:\n%s", s.shown.String())
	}
	data, err := os.ReadFile(answers)
	if err != nil {
		t.Fatal(err)
	}
	if _, text, _ := strings.Cut(string(data), "\n"); text != "projects:\n  top:\n    debug: true\n    hostname: box\n    programs:\n      - git\n      - vim\n  top/host:\n    disk: sdb\n" {
		t.Errorf("recorded:\n%s", data)
	}
	if info, err := os.Stat(answers); err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	// Replayed, it asks for the secret alone; --no-input and CI do not ask.
	for _, never := range []struct{ arg, env string }{{"--no-input", "CI="}, {"--offline", "CI=true"}} {
		cmd = b.command(ctx, "build", "--answers", answers, never.arg)
		cmd.Env = append(withoutCI(cmd.Env), never.env)
		s = sit(t, cmd)
		err := s.leave()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != exitUsage || strings.Count(s.shown.String(), "is not given") != 1 || !strings.Contains(s.shown.String(), "--secret top:pw=file:PATH") {
			t.Errorf("%v: %v\n%s", never, err, s.shown.String())
		}
	}
	// Who goes away has built nothing.
	cmd = b.command(ctx, "build", "--answers", answers)
	cmd.Env = withoutCI(cmd.Env)
	s = sit(t, cmd)
	s.answer("  Root password (at least 6 characters; not shown): ", endOfInput)
	if err := s.leave(); err == nil || !strings.Contains(s.shown.String(), "the input ended") {
		t.Errorf("%v\n%s", err, s.shown.String())
	}
	// With --ask, what has a default is asked for, too.
	b = newWork(t, map[string]string{"top": "from: {image: scratch, arch: amd64}\nvalues: {host: {prompt: Host name, default: box, min: 3}, quiet: 1}"})
	cmd = b.command(ctx, "build", "--ask", "--record", answers)
	cmd.Env = withoutCI(cmd.Env)
	s = sit(t, cmd)
	s.answer("  Host name (at least 3 characters) [box]: ", "ab")
	s.answer("  Not taken: it must have at least 3 characters, found 2\n  Host name (at least 3 characters) [box]: ", "")
	if err := s.leave(); err != nil {
		t.Errorf("%v\n%s", err, s.shown.String())
	}
	if data, err := os.ReadFile(answers); err != nil || !strings.HasSuffix(string(data), "\n{}\n") {
		t.Errorf("recorded: %v\n%s", err, data)
	}
}
