package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A screen is a terminal that a test sits at.
type screen struct {
	t    *testing.T
	pty  *os.File
	text string
}

// newScreen makes a pseudo-terminal, and returns what programs have of it, too.
func newScreen(t *testing.T) (*screen, *os.File) {
	t.Helper()
	pty, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pty.Close() })
	s := &screen{t: t, pty: pty}
	var number uint32
	s.control(func(fd int) (err error) {
		if err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err == nil {
			number, err = unix.IoctlGetUint32(fd, unix.TIOCGPTN)
		}
		return err
	})
	tty, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return s, tty
}

func (s *screen) control(do func(fd int) error) {
	s.t.Helper()
	raw, err := s.pty.SyscallConn()
	if err == nil {
		err = errors.Join(raw.Control(func(fd uintptr) { err = do(int(fd)) }), err)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *screen) resize(rows, columns uint16) {
	s.t.Helper()
	s.control(func(fd int) error {
		return unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: columns})
	})
}

// settings are those of the terminal.
func (s *screen) settings() (t unix.Termios) {
	s.t.Helper()
	s.control(func(fd int) error {
		is, err := unix.IoctlGetTermios(fd, unix.TCGETS)
		if err == nil {
			t = *is
		}
		return err
	})
	return t
}

func (s *screen) types(keys string) {
	s.t.Helper()
	if _, err := s.pty.WriteString(keys); err != nil {
		s.t.Fatal(err)
	}
}

// shows waits until a text is there, below what was waited for before.
func (s *screen) shows(text string) {
	s.t.Helper()
	if err := s.pty.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		s.t.Fatal(err)
	}
	buf := make([]byte, 4096)
	for !strings.Contains(s.text, text) {
		n, err := s.pty.Read(buf)
		s.text += string(buf[:n])
		if err != nil {
			s.t.Fatalf("waiting for %q: %v; there is %q", text, err, s.text)
		}
	}
	_, s.text, _ = strings.Cut(s.text, text)
}

// startOn starts a command on a terminal, as a login does, and returns how it ends.
func startOn(t *testing.T, cmd *exec.Cmd, tty *os.File) func() int {
	t.Helper()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, tty, tty
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	if err := tty.Close(); err != nil {
		t.Fatal(err)
	}
	return func() int {
		var exit *exec.ExitError
		if err := cmd.Wait(); err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		return cmd.ProcessState.ExitCode()
	}
}

// On a terminal a shell has one of its own: of the same size, also when that changes, with the keys that make signals. What is typed reaches it as it is, and
// the terminal is as before when it has ended, also by a signal.
func TestShellOnTerminal(t *testing.T) {
	b := newBench(t, "stage3: {file: $STAGE3}\n")
	b.run("shell", "top", "--", "true")
	s, tty := newScreen(t)
	keep, err := os.OpenFile(tty.Name(), os.O_RDWR|unix.O_NOCTTY, 0) // so that the settings can be read afterwards
	if err != nil {
		t.Fatal(err)
	}
	defer keep.Close()
	s.resize(33, 77)
	before := s.settings()
	cmd := b.command(context.Background(), "shell", "top", "-q")
	cmd.Env = append(cmd.Env, "TERM=vt52")
	ended := startOn(t, cmd, tty)
	s.shows("$ ")
	s.types("echo $TERM $(ls -l /proc/self/fd/0) >> /made; cat /made\r")
	s.shows("\nvt52 ")
	s.shows(" -> /dev/pts/0")
	s.shows("$ ")
	s.types("sleep 600\r")
	s.shows("sleep 600")
	if during := s.settings(); during.Lflag&(unix.ISIG|unix.ICANON|unix.ECHO) != 0 {
		t.Errorf("keys do not go through as they are: %#x", during.Lflag)
	}
	s.types("\x03")
	if code := ended(); code != 130 {
		t.Errorf("Ctrl-C, which ends this shell with what it executes, gives the exit code %d", code)
	}
	if after := s.settings(); after != before {
		t.Errorf("the terminal was %v before and is %v afterwards", before, after)
	}

	s, tty = newScreen(t)
	if keep, err = os.OpenFile(tty.Name(), os.O_RDWR|unix.O_NOCTTY, 0); err != nil {
		t.Fatal(err)
	}
	defer keep.Close()
	cmd = b.command(context.Background(), "shell", "top", "-q")
	ended = startOn(t, cmd, tty)
	s.shows("$ ")
	s.types("ls /made\r")
	s.shows("no such file")
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	s.shows("interrupted\r\n") // not in the raw terminal any more
	if code := ended(); code != exitInterrupted {
		t.Errorf("SIGTERM gives the exit code %d", code)
	}
	if after := s.settings(); after != before {
		t.Errorf("the terminal was %v before and is %v after a signal", before, after)
	}
	gone(t, b.mark)
}

// What is executed ends with xtoo, when that is killed, too, and what it left is removed by whoever comes next.
func TestShellKilled(t *testing.T) {
	b := newBench(t, "stage3: {file: $STAGE3}\n")
	cmd := b.command(context.Background(), "shell", "top", "-q", "--", "sh", "-c", "echo made > /made; echo ready; sleep 600; : "+b.mark)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		t.Errorf("it prints %q, %v", line, err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Error("it was not killed")
	}
	gone(t, b.mark)
	b.run("shell", "top", "--no-build", "--", "sh", "-c", "test ! -e /made")
	if left, err := os.ReadDir(filepath.Join(b.store, "tmp")); err != nil || len(left) > 0 {
		t.Errorf("work in progress is left: %v, %v", left, err)
	}
}
