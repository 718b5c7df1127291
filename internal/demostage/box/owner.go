package main

import (
	"bufio"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

func chown(_ context.Context, _ stdio, args []string) error { return changeOwners(args) }

// changeOwners is chown: -R goes into directories, -h does not follow a link.
func changeOwners(args []string) error {
	got, args, err := options(args, "Rh")
	if err != nil {
		return err
	}
	if err := need(args, 2, "chown [-Rh] OWNER FILE…"); err != nil {
		return err
	}
	user, group := args[0], ""
	if at := strings.IndexByte(user, ':'); at >= 0 {
		user, group = user[:at], user[at+1:]
	}
	uid, err := lookup("/etc/passwd", user)
	if err != nil {
		return err
	}
	gid, err := lookup("/etc/group", group)
	if err != nil {
		return err
	}
	return each(args[1:], has(got, "R"), func(path string) error {
		if has(got, "hR") {
			return os.Lchown(path, uid, gid)
		}
		return os.Chown(path, uid, gid)
	})
}

// lookup turns a name or a number into an id; -1, which changes nothing, stands for "".
func lookup(database, name string) (int, error) {
	if name == "" {
		return -1, nil
	}
	if n, err := strconv.ParseUint(name, 10, 31); err == nil {
		return int(n), nil
	}
	n, found, err := account(database, func(f []string) bool { return f[0] == name })
	if err != nil {
		return 0, err
	}
	if !found {
		return 0, fmt.Errorf("%s has no entry %q", database, name)
	}
	id, err := strconv.Atoi(n[2])
	return id, err
}

// account returns the fields of the first line of a passwd or group file that match accepts. A file that is not
// there has no lines.
func account(database string, match func(fields []string) bool) (fields []string, found bool, err error) {
	f, err := os.Open(database)
	if err != nil {
		return nil, false, nil // a root without accounts has numbers only
	}
	defer f.Close() // nothing was written
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		fields := strings.Split(lines.Text(), ":")
		if len(fields) >= 3 && match(fields) {
			return fields, true, nil
		}
	}
	return nil, false, lines.Err()
}

func chmod(_ context.Context, _ stdio, args []string) error {
	mode := ""
	if len(args) > 0 && len(args[0]) > 1 && strings.Trim(args[0][1:], "rwxst") == "" && args[0][0] == '-' {
		mode, args = args[0], args[1:] // `chmod -x FILE` is a mode, no option
	}
	got, args, err := options(args, "R")
	if err != nil {
		return err
	}
	if mode == "" && len(args) > 0 {
		mode, args = args[0], args[1:]
	}
	if err := need(args, 1, "chmod [-R] MODE FILE…"); err != nil {
		return err
	}
	return each(args, has(got, "R"), func(path string) error { return changeMode(path, mode) })
}

// changeMode sets a file's mode from an octal number or from clauses such as u+s,go-w,a=rX.
func changeMode(path, mode string) error {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if st.Mode&unix.S_IFMT == unix.S_IFLNK {
		return nil // a link has no mode; -R meets them
	}
	bits, err := newMode(st.Mode, mode)
	if err != nil {
		return err
	}
	if err := unix.Chmod(path, bits); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

func newMode(old uint32, mode string) (uint32, error) {
	if n, err := strconv.ParseUint(mode, 8, 12); err == nil {
		return uint32(n), nil
	}
	bits := old & 0o7777
	for clause := range strings.SplitSeq(mode, ",") {
		at := strings.IndexAny(clause, "+-=")
		if at < 0 || strings.Trim(clause[:at], "ugoa") != "" {
			return 0, exitError{2, fmt.Sprintf("%q is not a mode", mode)}
		}
		who, perms := clause[:at], clause[at+1:]
		if who == "" || strings.Contains(who, "a") {
			who = "ugo"
		}
		var mask, set uint32
		for i, class := range []string{"o", "g", "u"} {
			if !strings.Contains(who, class) {
				continue
			}
			shift := 3 * i
			mask |= 0o7 << shift
			for _, p := range perms {
				switch {
				case p == 'r':
					set |= 4 << shift
				case p == 'w':
					set |= 2 << shift
				case p == 'x', p == 'X' && (old&0o111 != 0 || old&unix.S_IFMT == unix.S_IFDIR):
					set |= 1 << shift
				case p == 's' && class == "u":
					set |= 0o4000
				case p == 's' && class == "g":
					set |= 0o2000
				case p == 't':
					set |= 0o1000
				case !strings.ContainsRune("Xs", p):
					return 0, exitError{2, fmt.Sprintf("%q is not a mode", mode)}
				}
			}
		}
		switch clause[at] {
		case '+':
			bits |= set
		case '-':
			bits &^= set
		default:
			bits = bits&^mask | set
		}
	}
	return bits, nil
}

// each calls do for every path, and for everything below the directories among them when deep is set.
func each(paths []string, deep bool, do func(path string) error) error {
	for _, p := range paths {
		if !deep {
			if err := do(p); err != nil {
				return err
			}
			continue
		}
		err := filepath.WalkDir(p, func(path string, _ fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			return do(path)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
