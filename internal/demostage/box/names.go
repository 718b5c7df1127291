package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

func basename(_ context.Context, std stdio, args []string) error {
	if err := need(args, 1, "basename PATH [SUFFIX]"); err != nil {
		return err
	}
	base := filepath.Base(args[0])
	if len(args) > 1 && base != args[1] {
		base = strings.TrimSuffix(base, args[1])
	}
	_, err := fmt.Fprintln(std.out, base)
	return err
}

func dirname(_ context.Context, std stdio, args []string) error {
	if err := need(args, 1, "dirname PATH"); err != nil {
		return err
	}
	_, err := fmt.Fprintln(std.out, filepath.Dir(strings.TrimRight(args[0], "/")))
	return err
}

func readlink(ctx context.Context, std stdio, args []string) error {
	got, args, err := options(args, "fne")
	if err != nil {
		return err
	}
	if err := need(args, 1, "readlink [-f] PATH"); err != nil {
		return err
	}
	if has(got, "fe") {
		return realpath(ctx, std, args)
	}
	target, err := os.Readlink(args[0])
	if err != nil {
		return exitError{code: 1} // as the real one: no link, no word
	}
	_, err = fmt.Fprintln(std.out, target)
	return err
}

func realpath(_ context.Context, std stdio, args []string) error {
	for _, a := range args {
		p, err := filepath.Abs(a)
		if err != nil {
			return err
		}
		if p, err = filepath.EvalSymlinks(p); err != nil {
			return err
		}
		if _, err := fmt.Fprintln(std.out, p); err != nil {
			return err
		}
	}
	return nil
}

func which(_ context.Context, std stdio, args []string) error {
	missing := false
	for _, a := range args {
		p, err := exec.LookPath(a)
		if err != nil {
			missing = true
			continue
		}
		if _, err := fmt.Fprintln(std.out, p); err != nil {
			return err
		}
	}
	if missing {
		return exitError{code: 1}
	}
	return nil
}
