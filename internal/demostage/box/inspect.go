package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// stat prints facts of files: `stat -c FORMAT FILE…`, with the letters that scripts use.
func stat(_ context.Context, std stdio, args []string) error {
	got, args, err := options(args, "c:L")
	if err != nil {
		return err
	}
	format := "%n %F mode=%a owner=%u:%g size=%s links=%h mtime=%Y"
	if has(got, "c") {
		format = got['c']
	}
	for _, path := range args {
		var st unix.Stat_t
		call := unix.Lstat
		if has(got, "L") {
			call = unix.Stat
		}
		if err := call(path, &st); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		facts := []string{
			"%%", "%", "%n", path, "%F", kind(st.Mode),
			"%a", strconv.FormatUint(uint64(st.Mode&0o7777), 8), "%f", strconv.FormatUint(uint64(st.Mode), 16),
			"%u", fmt.Sprint(st.Uid), "%g", fmt.Sprint(st.Gid), "%U", accountName("/etc/passwd", st.Uid), "%G", accountName("/etc/group", st.Gid),
			"%s", fmt.Sprint(st.Size), "%b", fmt.Sprint(st.Blocks), "%h", fmt.Sprint(st.Nlink), "%i", fmt.Sprint(st.Ino),
			"%t", strconv.FormatUint(uint64(unix.Major(st.Rdev)), 16), "%T", strconv.FormatUint(uint64(unix.Minor(st.Rdev)), 16),
			"%Y", fmt.Sprint(st.Mtim.Sec),
		}
		if _, err := fmt.Fprintln(std.out, strings.NewReplacer(facts...).Replace(format)); err != nil {
			return err
		}
	}
	return nil
}

func kind(mode uint32) string {
	switch mode & unix.S_IFMT {
	case unix.S_IFDIR:
		return "directory"
	case unix.S_IFLNK:
		return "symbolic link"
	case unix.S_IFCHR:
		return "character special file"
	case unix.S_IFBLK:
		return "block special file"
	case unix.S_IFIFO:
		return "fifo"
	case unix.S_IFSOCK:
		return "socket"
	}
	return "regular file"
}

// accountName returns the name of an id, or the number of one that has none.
func accountName(database string, id uint32) string {
	number := strconv.FormatUint(uint64(id), 10)
	fields, found, err := account(database, func(f []string) bool { return f[2] == number })
	if err != nil || !found {
		return number
	}
	return fields[0]
}

func setfattr(_ context.Context, _ stdio, args []string) error {
	got, args, err := options(args, "n:v:x:h")
	if err != nil {
		return err
	}
	if !has(got, "nx") {
		return exitError{2, "usage: setfattr -n NAME -v VALUE FILE… | -x NAME FILE…"}
	}
	for _, path := range args {
		if has(got, "x") {
			err = unix.Lremovexattr(path, got['x'])
		} else {
			err = unix.Lsetxattr(path, got['n'], []byte(got['v']), 0)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return nil
}

// getfattr prints `name="value"` of the xattrs that have the prefix of -m (user. by default; "-" is all), or of
// the one that -n names.
func getfattr(_ context.Context, std stdio, args []string) error {
	got, args, err := options(args, "dhn:m:")
	if err != nil {
		return err
	}
	for _, path := range args {
		names, err := xattrs(path)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		for _, n := range names {
			prefix := "user."
			if has(got, "m") {
				prefix = strings.Trim(got['m'], "-^")
			}
			if has(got, "n") && n != got['n'] || !has(got, "n") && !strings.HasPrefix(n, prefix) {
				continue
			}
			value := make([]byte, 1<<16)
			size, err := unix.Lgetxattr(path, n, value)
			if err != nil {
				return fmt.Errorf("%s: %s: %w", path, n, err)
			}
			if _, err := fmt.Fprintf(std.out, "%s: %s=%q\n", path, n, value[:size]); err != nil {
				return err
			}
		}
		if has(got, "n") && !slices.Contains(names, got['n']) {
			return fmt.Errorf("%s: %s: no such attribute", path, got['n'])
		}
	}
	return nil
}

func xattrs(path string) ([]string, error) {
	list := make([]byte, 1<<16)
	n, err := unix.Llistxattr(path, list)
	if err != nil {
		return nil, err
	}
	names := strings.FieldsFunc(string(list[:n]), func(r rune) bool { return r == 0 })
	slices.Sort(names)
	return names, nil
}

// inputs calls do for each named file, or for standard input when there is none ("-" is standard input too).
func inputs(std stdio, paths []string, do func(name string, r io.Reader) error) error {
	if len(paths) == 0 {
		return do("-", std.in)
	}
	for _, p := range paths {
		if p == "-" {
			if err := do(p, std.in); err != nil {
				return err
			}
			continue
		}
		f, err := os.Open(p)
		if err != nil {
			return err
		}
		err = do(p, f)
		_ = f.Close() // nothing was written
		if err != nil {
			return err
		}
	}
	return nil
}
