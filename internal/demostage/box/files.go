package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

func mkdir(_ context.Context, _ stdio, args []string) error {
	got, args, err := options(args, "pm:")
	if err != nil {
		return err
	}
	for _, a := range args {
		if has(got, "p") {
			err = os.MkdirAll(a, 0o777)
		} else {
			err = os.Mkdir(a, 0o777)
		}
		if err == nil && has(got, "m") {
			err = changeMode(a, got['m'])
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func rmdir(_ context.Context, _ stdio, args []string) error {
	for _, a := range args {
		if err := unix.Rmdir(a); err != nil {
			return fmt.Errorf("%s: %w", a, err)
		}
	}
	return nil
}

func touch(_ context.Context, _ stdio, args []string) error {
	got, args, err := options(args, "amchd:r:")
	if err != nil {
		return err
	}
	when := time.Now()
	if has(got, "r") {
		info, err := os.Stat(got['r'])
		if err != nil {
			return err
		}
		when = info.ModTime()
	}
	if has(got, "d") {
		if when, err = parseTime(got['d']); err != nil {
			return err
		}
	}
	flags := 0
	if has(got, "h") {
		flags = unix.AT_SYMLINK_NOFOLLOW
	}
	ts := []unix.Timespec{unix.NsecToTimespec(when.UnixNano()), unix.NsecToTimespec(when.UnixNano())}
	for _, a := range args {
		if _, err := os.Lstat(a); errors.Is(err, fs.ErrNotExist) {
			if has(got, "c") {
				continue
			}
			f, err := os.OpenFile(a, os.O_CREATE|os.O_WRONLY, 0o666)
			if err != nil {
				return err
			}
			if err := f.Close(); err != nil {
				return err
			}
		}
		if err := unix.UtimesNanoAt(unix.AT_FDCWD, a, ts, flags); err != nil {
			return fmt.Errorf("%s: %w", a, err)
		}
	}
	return nil
}

// parseTime understands @SECONDS, a date, and a date with a time (UTC unless it says otherwise).
func parseTime(s string) (time.Time, error) {
	if n, ok := strings.CutPrefix(s, "@"); ok {
		sec, err := strconv.ParseInt(n, 10, 64)
		return time.Unix(sec, 0), err
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02 15:04", time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no time that this tool knows", s)
}

func link(_ context.Context, _ stdio, args []string) error {
	if err := need(args, 2, "link OLD NEW"); err != nil {
		return err
	}
	return os.Link(args[0], args[1])
}

func ln(_ context.Context, _ stdio, args []string) error {
	got, args, err := options(args, "sfn")
	if err != nil {
		return err
	}
	if len(args) == 1 {
		args = append(args, ".")
	}
	if err := need(args, 2, "ln [-sfn] TARGET… LINK"); err != nil {
		return err
	}
	targets, dest := args[:len(args)-1], args[len(args)-1]
	stat := os.Stat
	if has(got, "n") {
		stat = os.Lstat
	}
	info, err := stat(dest)
	into := err == nil && info.IsDir()
	if len(targets) > 1 && !into {
		return fmt.Errorf("%s is not a directory", dest)
	}
	for _, target := range targets {
		name := dest
		if into {
			name = filepath.Join(dest, filepath.Base(target))
		}
		if has(got, "f") {
			if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		if has(got, "s") {
			err = os.Symlink(target, name)
		} else {
			err = os.Link(target, name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func mkfifo(_ context.Context, _ stdio, args []string) error {
	got, args, err := options(args, "m:")
	if err != nil {
		return err
	}
	for _, a := range args {
		if err := unix.Mkfifo(a, 0o666); err != nil {
			return fmt.Errorf("%s: %w", a, err)
		}
		if has(got, "m") {
			if err := changeMode(a, got['m']); err != nil {
				return err
			}
		}
	}
	return nil
}

func mknod(_ context.Context, _ stdio, args []string) error {
	got, args, err := options(args, "m:")
	if err != nil {
		return err
	}
	if len(args) == 2 && args[1] == "p" {
		args = append(args, "0", "0")
	}
	if err := need(args, 4, "mknod [-m MODE] NAME b|c|p MAJOR MINOR"); err != nil {
		return err
	}
	kind, ok := map[string]uint32{"b": unix.S_IFBLK, "c": unix.S_IFCHR, "u": unix.S_IFCHR, "p": unix.S_IFIFO}[args[1]]
	if !ok {
		return fmt.Errorf("unknown kind %q", args[1])
	}
	major, errMajor := strconv.ParseUint(args[2], 0, 32)
	minor, errMinor := strconv.ParseUint(args[3], 0, 32)
	if err := errors.Join(errMajor, errMinor); err != nil {
		return err
	}
	if err := unix.Mknod(args[0], kind|0o666, int(unix.Mkdev(uint32(major), uint32(minor)))); err != nil {
		return fmt.Errorf("%s: %w", args[0], err)
	}
	if has(got, "m") {
		return changeMode(args[0], got['m'])
	}
	return nil
}

func truncate(_ context.Context, _ stdio, args []string) error {
	got, args, err := options(args, "s:c")
	if err != nil {
		return err
	}
	size := got['s']
	unit := int64(1)
	if n := strings.IndexAny(size, "KMG"); n > 0 && n == len(size)-1 {
		unit = map[byte]int64{'K': 1 << 10, 'M': 1 << 20, 'G': 1 << 30}[size[n]]
		size = size[:n]
	}
	n, err := strconv.ParseInt(size, 10, 64)
	if err != nil {
		return exitError{2, "usage: truncate -s SIZE FILE…"}
	}
	for _, a := range args {
		f, err := os.OpenFile(a, os.O_CREATE|os.O_WRONLY, 0o666)
		if err != nil {
			return err
		}
		if err := errors.Join(f.Truncate(n*unit), f.Close()); err != nil {
			return err
		}
	}
	return nil
}
