package qemu

import (
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Kinds of errors of [Find].
var (
	// errNoEmulator: there is no emulator for the architecture on this machine.
	errNoEmulator = errors.New("no emulator found")
	// errUnusable: there is one, but it cannot be used, and the error says why.
	errUnusable = errors.New("cannot be used as an emulator")
)

// staticSuffix ends the name of an emulator that needs no shared libraries, as distributions package it.
const staticSuffix = "-static"

// An Emulator is what [Find] found.
type Emulator struct {
	Path string // absolute; empty beside an error
	// Given says that the user named it; beside an error, that the error is about what the user named.
	Given bool
}

// Find finds the emulator for an architecture.
//
// given are what the user named: emulators, or directories of them. A file there that is named like another emulator
// (qemu-arm for arm-64bit) is passed over, and so is a directory that has none; one that applies is taken, and if it
// cannot be used that is the error. Otherwise qemu-NAME-static and qemu-NAME are looked for on the PATH and where distributions
// have them; of those found a static one is preferred.
//
// Only static emulators can be used: the root in which programs are executed has its own shared libraries, at the
// same paths, for another machine. The error says which of both it is: no emulator,
// or one that cannot be used, and why.
func Find(a Arch, given []string) (Emulator, error) {
	if a.Emulator == "" {
		return Emulator{}, fmt.Errorf("%s: %w: none is known for it", a, errNoEmulator)
	}
	path, err := findGiven(a, given)
	if err == nil && path != "" {
		err = Usable(path)
	}
	if err != nil {
		return Emulator{Given: true}, err
	}
	if path != "" {
		return Emulator{path, true}, nil
	}
	var found []string
	for _, name := range []string{a.Emulator + staticSuffix, a.Emulator} {
		for _, dir := range searchDirs() {
			p := filepath.Join(dir, name)
			if info, err := os.Stat(p); err == nil && info.Mode().IsRegular() {
				found = append(found, p)
			}
		}
	}
	var first error
	for _, p := range found {
		err := Usable(p)
		if err == nil {
			return Emulator{Path: p}, nil
		}
		if first == nil {
			first = err
		}
	}
	if first != nil {
		return Emulator{}, first
	}
	return Emulator{}, fmt.Errorf("%w for %s: neither %s%s nor %[3]s is on the PATH", errNoEmulator, a.Name, a.Emulator, staticSuffix)
}

// findGiven looks through what the user named. An empty path means that nothing there is for the architecture.
func findGiven(a Arch, given []string) (string, error) {
	for _, g := range given {
		p, err := filepath.Abs(g)
		if err != nil {
			return "", err
		}
		info, err := os.Stat(p)
		if err != nil {
			return "", fmt.Errorf("%s: %w: %w", g, errUnusable, reason(err))
		}
		if !info.IsDir() {
			if emulates(filepath.Base(p), a) {
				return p, nil
			}
			continue
		}
		for _, name := range []string{a.Emulator + staticSuffix, a.Emulator} {
			file := filepath.Join(p, name)
			if _, err := os.Stat(file); err == nil {
				return file, nil
			}
		}
	}
	return "", nil
}

// emulates reports whether a file of that name may be an emulator for the architecture: it is not named like
// another of qemu's.
func emulates(name string, a Arch) bool {
	if !strings.HasPrefix(name, "qemu-") {
		return true
	}
	return name == a.Emulator || strings.HasPrefix(name, a.Emulator+"-")
}

// searchDirs are the directories of the PATH, and those of programs where the PATH does not have them.
func searchDirs() []string {
	var dirs []string
	seen := map[string]bool{}
	for _, d := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/local/bin", "/usr/bin", "/bin") {
		if filepath.IsAbs(d) && !seen[d] { // what is relative depends on where one stands
			seen[d] = true
			dirs = append(dirs, d)
		}
	}
	return dirs
}

// Usable reports why a file cannot be an emulator here: it is not there, not executable by this user, no program
// of this machine, or one that needs shared libraries.
func Usable(path string) error {
	if err := usable(path); err != nil {
		return fmt.Errorf("%s: %w: %w", path, errUnusable, err)
	}
	return nil
}

func usable(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return reason(err)
	}
	if !info.Mode().IsRegular() {
		return errors.New("it is no file")
	}
	if err := unix.Access(path, unix.X_OK); err != nil {
		var fs unix.Statfs_t
		if unix.Statfs(path, &fs) == nil && fs.Flags&unix.ST_NOEXEC != 0 {
			return errors.New("its file system is mounted with noexec")
		}
		return fmt.Errorf("this user may not execute it (mode %04o): %w", info.Mode().Perm(), err)
	}
	f, err := os.Open(path)
	if err != nil {
		return reason(err)
	}
	defer f.Close() // read only
	magic := make([]byte, len(elf.ELFMAG))
	if n, err := f.ReadAt(magic, 0); n < len(magic) || string(magic) != elf.ELFMAG {
		if err != nil && !errors.Is(err, io.EOF) {
			return reason(err)
		}
		return errors.New("it is no ELF program")
	}
	program, err := elf.NewFile(f)
	if err != nil {
		return nil // it may have odd sections, for which the kernel does not care: a trial will tell
	}
	if of := (ELF{Machine: program.Machine, Class: program.Class, Data: program.Data}); !executes(of) {
		return fmt.Errorf("it is a program for another machine (%s)", of)
	}
	for _, p := range program.Progs {
		if p.Type != elf.PT_INTERP {
			continue
		}
		linker, err := io.ReadAll(io.LimitReader(p.Open(), unix.PathMax))
		if err != nil {
			return errors.New("it is no ELF program")
		}
		return fmt.Errorf("it needs shared libraries (by way of %s), which the roots of other machines do not have: "+
			"a static one is needed", strings.TrimRight(string(linker), "\x00"))
	}
	return nil
}

// executes reports whether this machine may execute such programs: they are its own, or xtoo is a 32-bit program on a
// kernel for 64 bits.
func executes(of ELF) bool {
	host := Host()
	for _, f := range families() {
		if f.arch.ELF == of {
			return host.IsZero() || host.ELF == of || f.arch.RunsAsCompat(host)
		}
	}
	return host.IsZero()
}

// reason is what the system said, without operation and path.
func reason(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

// Packages says what to install for the emulator, by distribution.
func (a Arch) Packages() string {
	target := strings.TrimPrefix(a.Emulator, "qemu-")
	return fmt.Sprintf("install qemu's static user mode emulators, or name one with --qemu: package qemu-user-static (Debian, Ubuntu, Fedora, Arch), "+
		"qemu-linux-user (SUSE), qemu-%[1]s (Alpine), app-emulation/qemu with USE=static-user and QEMU_USER_TARGETS=%[1]s (Gentoo, Funtoo)", target)
}
