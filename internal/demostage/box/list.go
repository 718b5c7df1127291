package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// cat copies files, or standard input, to standard output.
func cat(_ context.Context, std stdio, args []string) error {
	if len(args) == 0 {
		args = []string{"-"}
	}
	for _, path := range args {
		if path == "-" {
			if _, err := io.Copy(std.out, std.in); err != nil {
				return err
			}
			continue
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		_, err = io.Copy(std.out, f)
		_ = f.Close() // nothing was written
		if err != nil {
			return err
		}
	}
	return nil
}

// ls lists files, and what is in directories: -a also hidden names, -d directories themselves, -l with mode, numeric
// owners, size and time.
func ls(_ context.Context, std stdio, args []string) error {
	got, args, err := options(args, "1adl")
	if err != nil {
		return err
	}
	if len(args) == 0 {
		args = []string{"."}
	}
	for _, path := range args {
		info, err := os.Lstat(path)
		if err != nil {
			return err
		}
		if !info.IsDir() || has(got, "d") {
			if err := listOne(std.out, path, path, has(got, "l")); err != nil {
				return err
			}
			continue
		}
		if len(args) > 1 {
			if _, err := fmt.Fprintf(std.out, "%s:\n", path); err != nil {
				return err
			}
		}
		entries, err := os.ReadDir(path)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if e.Name()[0] == '.' && !has(got, "a") {
				continue
			}
			if err := listOne(std.out, filepath.Join(path, e.Name()), e.Name(), has(got, "l")); err != nil {
				return err
			}
		}
	}
	return nil
}

func listOne(w io.Writer, path, name string, long bool) error {
	if !long {
		_, err := fmt.Fprintln(w, name)
		return err
	}
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		target, err := os.Readlink(path)
		if err != nil {
			return err
		}
		name += " -> " + target
	}
	_, err = fmt.Fprintf(w, "%v %d %d:%d %d %s %s\n", info.Mode(), st.Nlink, st.Uid, st.Gid, st.Size, info.ModTime().UTC().Format(time.DateTime), name)
	return err
}

// stat prints facts of files: `stat -c FORMAT FILE…`.
func stat(_ context.Context, std stdio, args []string) error {
	got, args, err := options(args, "c:")
	if err != nil {
		return err
	}
	if !has(got, "c") {
		return exitError{2, "usage: stat -c FORMAT FILE…"}
	}
	for _, path := range args {
		var st unix.Stat_t
		if err := unix.Lstat(path, &st); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		facts := strings.NewReplacer("%%", "%", "%n", path, "%a", strconv.FormatUint(uint64(st.Mode&0o7777), 8),
			"%u", fmt.Sprint(st.Uid), "%g", fmt.Sprint(st.Gid), "%s", fmt.Sprint(st.Size), "%h", fmt.Sprint(st.Nlink), "%Y", fmt.Sprint(st.Mtim.Sec))
		if _, err := fmt.Fprintln(std.out, facts.Replace(got['c'])); err != nil {
			return err
		}
	}
	return nil
}

// rm removes files; -r directories with all that is in them, too; -f does not mind what is not there.
func rm(_ context.Context, _ stdio, args []string) error {
	got, args, err := options(args, "rRf")
	if err != nil {
		return err
	}
	for _, path := range args {
		info, err := os.Lstat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist) && has(got, "f"):
			continue
		case err != nil:
			return err
		case info.IsDir() && !has(got, "rR"):
			return fmt.Errorf("%s is a directory (and -r was not given)", path)
		}
		if err := os.RemoveAll(path); err != nil {
			return err
		}
	}
	return nil
}

// mv renames files, or copies and removes them where they cross file systems, as layers of an overlay are one.
func mv(ctx context.Context, _ stdio, args []string) error {
	_, args, err := options(args, "f")
	if err != nil {
		return err
	}
	if err := need(args, 2, "mv SOURCE… DEST"); err != nil {
		return err
	}
	return fromTo(args, func(from, to string) error {
		err := os.Rename(from, to)
		if errors.Is(err, unix.EXDEV) { // overlayfs says so of directories that come from below
			if err = copyTree(ctx, from, to, true, true, true); err == nil {
				err = os.RemoveAll(from)
			}
		}
		return err
	})
}

func seq(_ context.Context, std stdio, args []string) error {
	if err := need(args, 1, "seq [FIRST [STEP]] LAST"); err != nil {
		return err
	}
	n := make([]int, len(args))
	for i, a := range args {
		var err error
		if n[i], err = strconv.Atoi(a); err != nil {
			return exitError{2, fmt.Sprintf("%q is not a number", a)}
		}
	}
	first, step, last := 1, 1, n[len(n)-1]
	if len(n) > 1 {
		first = n[0]
	}
	if len(n) > 2 {
		step = n[1]
	}
	if step == 0 {
		return exitError{2, "a step of 0 never ends"}
	}
	w := bufio.NewWriter(std.out)
	for i := first; step > 0 && i <= last || step < 0 && i >= last; i += step {
		if _, err := fmt.Fprintln(w, i); err != nil {
			return err
		}
	}
	return w.Flush()
}
