package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
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

// touch makes files that are not there, and sets the times of others to now.
func touch(_ context.Context, _ stdio, args []string) error {
	now := time.Now()
	for _, a := range args {
		f, err := os.OpenFile(a, os.O_CREATE|os.O_WRONLY, 0o666)
		if err != nil {
			return err
		}
		if err := errors.Join(f.Close(), os.Chtimes(a, now, now)); err != nil {
			return err
		}
	}
	return nil
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
