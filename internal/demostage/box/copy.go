package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// cp copies files: -r goes into directories; -p keeps mode, owner and times; -d keeps links; -a is all three.
func cp(ctx context.Context, _ stdio, args []string) error {
	got, args, err := options(args, "rRpdaf")
	if err != nil {
		return err
	}
	if err := need(args, 2, "cp [-rpdaf] SOURCE… DEST"); err != nil {
		return err
	}
	return fromTo(args, func(from, to string) error {
		return copyTree(ctx, from, to, has(got, "rRa"), has(got, "pa"), has(got, "da"))
	})
}

// fromTo calls do with every source and where it goes: to the last argument or, if that is a directory, into it.
func fromTo(args []string, do func(from, to string) error) error {
	sources, dest := args[:len(args)-1], args[len(args)-1]
	info, err := os.Stat(dest)
	into := err == nil && info.IsDir()
	if len(sources) > 1 && !into {
		return fmt.Errorf("%s is not a directory", dest)
	}
	for _, from := range sources {
		to := dest
		if into {
			to = filepath.Join(dest, filepath.Base(from))
		}
		if err := do(from, to); err != nil {
			return err
		}
	}
	return nil
}

func copyTree(ctx context.Context, from, to string, deep, preserve, links bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var st unix.Stat_t
	stat := unix.Stat
	if links {
		stat = unix.Lstat
	}
	if err := stat(from, &st); err != nil {
		return fmt.Errorf("%s: %w", from, err)
	}
	var err error
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		if !deep {
			return fmt.Errorf("%s is a directory (and -r was not given)", from)
		}
		err = copyDir(ctx, from, to, preserve, links)
	case unix.S_IFLNK:
		var target string
		if target, err = os.Readlink(from); err == nil {
			err = errors.Join(removeOld(to), os.Symlink(target, to))
		}
	case unix.S_IFREG:
		err = copyFile(from, to, fs.FileMode(st.Mode&0o777))
	default:
		err = errors.Join(removeOld(to), unix.Mknod(to, st.Mode, int(st.Rdev)))
	}
	if err != nil || !preserve {
		return err
	}
	return keep(to, st)
}

func copyDir(ctx context.Context, from, to string, preserve, links bool) error {
	if err := os.Mkdir(to, 0o777); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, e := range entries {
		// Inside a tree links stay links, as -r of the real one has it.
		if err := copyTree(ctx, filepath.Join(from, e.Name()), filepath.Join(to, e.Name()), true, preserve, links || e.Type()&fs.ModeSymlink != 0); err != nil {
			return err
		}
	}
	return nil
}

func copyFile(from, to string, perm fs.FileMode) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close() // nothing was written
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, perm)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

func removeOld(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// keep gives a copy the owner, mode and times of its source.
func keep(path string, st unix.Stat_t) error {
	if err := os.Lchown(path, int(st.Uid), int(st.Gid)); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFLNK {
		if err := unix.Chmod(path, st.Mode&0o7777); err != nil { // after chown, which clears setuid bits
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return unix.UtimesNanoAt(unix.AT_FDCWD, path, []unix.Timespec{st.Atim, st.Mtim}, unix.AT_SYMLINK_NOFOLLOW)
}

// install copies files with a mode and an owner, or makes directories (-d).
func install(ctx context.Context, std stdio, args []string) error {
	got, args, err := options(args, "dDm:o:g:")
	if err != nil {
		return err
	}
	mode := "0755"
	if has(got, "m") {
		mode = got['m']
	}
	if err := need(args, 1, "install [-d] [-m MODE] [-o OWNER] [-g GROUP] SOURCE… DEST"); err != nil {
		return err
	}
	finish := func(path string) error {
		if has(got, "og") {
			if err := changeOwners([]string{got['o'] + ":" + got['g'], path}); err != nil {
				return err
			}
		}
		return changeMode(path, mode)
	}
	if has(got, "d") {
		for _, a := range args {
			if err := errors.Join(os.MkdirAll(a, 0o755), finish(a)); err != nil {
				return err
			}
		}
		return nil
	}
	if err := need(args, 2, "install [-m MODE] SOURCE… DEST"); err != nil {
		return err
	}
	dest := args[len(args)-1]
	if has(got, "D") {
		if err := os.MkdirAll(filepath.Dir(dest), 0o755); err != nil {
			return err
		}
	}
	info, err := os.Stat(dest)
	into := err == nil && info.IsDir()
	for _, s := range args[:len(args)-1] {
		to := dest
		if into {
			to = filepath.Join(dest, filepath.Base(s))
		}
		if err := errors.Join(removeOld(to), copyTree(ctx, s, to, false, false, false), finish(to)); err != nil {
			return err
		}
	}
	return nil
}
