package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// env prints the environment or executes a command in a changed one: `env [-i] [-u NAME] [NAME=VALUE…] [COMMAND…]`.
func env(_ context.Context, std stdio, args []string) error {
	got, args, err := options(args, "iu:")
	if err != nil {
		return err
	}
	if has(got, "i") {
		os.Clearenv()
	}
	if has(got, "u") {
		if err := os.Unsetenv(got['u']); err != nil {
			return err
		}
	}
	for len(args) > 0 && strings.Contains(args[0], "=") {
		name, value, _ := strings.Cut(args[0], "=")
		if err := os.Setenv(name, value); err != nil {
			return err
		}
		args = args[1:]
	}
	if len(args) == 0 {
		_, err := fmt.Fprintln(std.out, strings.Join(os.Environ(), "\n"))
		return err
	}
	environ := os.Environ()
	if os.Getenv("PATH") == "" {
		if err := os.Setenv("PATH", "/usr/bin:/bin"); err != nil { // where execvp looks without a PATH
			return err
		}
	}
	path, err := exec.LookPath(args[0])
	if err != nil {
		return exitError{127, err.Error()}
	}
	return exitError{126, syscall.Exec(path, args, environ).Error()} // returns only to say why it could not
}

// id prints the user's number (-u) or the group's (-g), or both.
func id(_ context.Context, std stdio, args []string) error {
	got, _, err := options(args, "ug")
	if err != nil {
		return err
	}
	text := fmt.Sprintf("uid=%d gid=%d", os.Geteuid(), os.Getegid())
	switch {
	case has(got, "u"):
		text = strconv.Itoa(os.Geteuid())
	case has(got, "g"):
		text = strconv.Itoa(os.Getegid())
	}
	_, err = fmt.Fprintln(std.out, text)
	return err
}

func uname(_ context.Context, std stdio, args []string) error {
	got, _, err := options(args, "asnrvm")
	if err != nil {
		return err
	}
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return err
	}
	if len(got) == 0 {
		got['s'] = ""
	}
	var out []string
	for _, f := range []struct {
		letter string
		value  [65]byte
	}{{"s", u.Sysname}, {"n", u.Nodename}, {"r", u.Release}, {"v", u.Version}, {"m", u.Machine}} {
		if has(got, "a") || has(got, f.letter) {
			out = append(out, unix.ByteSliceToString(f.value[:]))
		}
	}
	_, err = fmt.Fprintln(std.out, strings.Join(out, " "))
	return err
}

func sleep(ctx context.Context, _ stdio, args []string) error {
	var total time.Duration
	for _, a := range args {
		if a == "infinity" {
			a = "1000000h"
		}
		if strings.Trim(a, "0123456789.") == "" {
			a += "s"
		}
		d, err := time.ParseDuration(a)
		if err != nil {
			return exitError{2, fmt.Sprintf("%q is not a time", a)}
		}
		total += d
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(total):
		return nil
	}
}

// kill sends a signal: `kill [-SIGNAL] PID…`. Background jobs of the shell are no processes of their own, so that
// `kill $!` has nothing to send to.
func kill(_ context.Context, _ stdio, args []string) error {
	sig := syscall.SIGTERM
	if len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-' {
		name := args[0][1:]
		args = args[1:]
		if name == "s" && len(args) > 0 {
			name, args = args[0], args[1:]
		}
		if n, err := strconv.Atoi(name); err == nil {
			sig = syscall.Signal(n)
		} else if sig = unix.SignalNum("SIG" + strings.TrimPrefix(name, "SIG")); sig == 0 {
			return exitError{2, fmt.Sprintf("%q is not a signal", name)}
		}
	}
	var failed error
	for _, a := range args {
		pid, err := strconv.Atoi(a)
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("%q is not a process id", a))
			continue
		}
		if err := syscall.Kill(pid, sig); err != nil {
			failed = errors.Join(failed, fmt.Errorf("%d: %w", pid, err))
		}
	}
	return failed
}
