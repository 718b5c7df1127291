package chroot

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"xtoo/chroot/host"
)

// defaultPath is searched when the environment of a process has no PATH.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// findInPath finds the program of a process as a shell would, and sees that its working directory exists. It is
// called in the guest.
func findInPath(p *specs.Process) (string, error) {
	if p.Cwd == "" {
		p.Cwd = "/"
	}
	if info, err := os.Stat(p.Cwd); err != nil {
		return "", fmt.Errorf("working directory in the image: %w", err)
	} else if !info.IsDir() {
		return "", fmt.Errorf("working directory %s in the image: %w", p.Cwd, unix.ENOTDIR)
	}
	name := p.Args[0]
	if strings.Contains(name, "/") {
		return name, nil
	}
	search := defaultPath
	for _, kv := range p.Env {
		if v, ok := strings.CutPrefix(kv, "PATH="); ok {
			search = v
		}
	}
	for dir := range strings.SplitSeq(search, ":") {
		file := path.Join(p.Cwd, dir, name)
		if path.IsAbs(dir) {
			file = path.Join(dir, name)
		}
		if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0 {
			return file, nil
		}
	}
	return "", fmt.Errorf("%s: %w: it is not in the PATH %s of the image: %w", name, ErrNotExecutable, search, fs.ErrNotExist)
}

// explainExec words why execve(2) failed: its error numbers do not tell a missing program from a missing
// interpreter or dynamic linker.
func explainExec(program string, err error) error {
	why := whyNotExecuted(program, err)
	if why == "" {
		return fmt.Errorf("%s: %w: %w", program, ErrNotExecutable, err)
	}
	return fmt.Errorf("%s: %w: %s: %w", program, ErrNotExecutable, why, err)
}

func whyNotExecuted(program string, err error) string {
	f, openErr := os.Open(program)
	if openErr != nil {
		if errors.Is(openErr, fs.ErrNotExist) {
			return "there is no such file in the image"
		}
		return ""
	}
	defer f.Close()
	head := make([]byte, 256) // BINPRM_BUF_SIZE: the kernel looks no further
	n, readErr := io.ReadFull(f, head)
	if readErr != nil && !errors.Is(readErr, io.ErrUnexpectedEOF) && !errors.Is(readErr, io.EOF) {
		return ""
	}
	head = head[:n]
	if line, ok := bytes.CutPrefix(head, []byte("#!")); ok {
		return whyNotInterpreted(line, err)
	}
	if bytes.HasPrefix(head, []byte(elf.ELFMAG)) {
		return whyNotLinked(f, err)
	}
	switch {
	case errors.Is(err, unix.ENOEXEC):
		return "it is neither a program nor a script with a #! line"
	case errors.Is(err, unix.EACCES):
		return "it may not be executed (its mode, or one on the way to it)"
	}
	return ""
}

// whyNotInterpreted looks at what follows "#!".
func whyNotInterpreted(line []byte, err error) string {
	line, _, _ = bytes.Cut(line, []byte("\n"))
	words := strings.Trim(string(line), " \t")
	interpreter := words
	if i := strings.IndexAny(words, " \t"); i >= 0 {
		interpreter = words[:i]
	}
	switch {
	case interpreter == "":
		return "its #! line names no interpreter"
	case strings.HasSuffix(words, "\r"):
		return fmt.Sprintf("its #! line ends in a carriage return, which the kernel takes as part of %q: save it with Unix line ends", words)
	}
	info, statErr := os.Stat(interpreter)
	switch {
	case errors.Is(statErr, fs.ErrNotExist):
		return fmt.Sprintf("the interpreter %s of its #! line is not in the image", interpreter)
	case statErr != nil:
		return fmt.Sprintf("the interpreter %s of its #! line: %v", interpreter, statErr)
	case !info.Mode().IsRegular() || info.Mode().Perm()&0o111 == 0:
		return fmt.Sprintf("the interpreter %s of its #! line is not executable", interpreter)
	case errors.Is(err, unix.EACCES):
		return "it may not be executed (its mode, or one on the way to it)"
	}
	if f, openErr := os.Open(interpreter); openErr == nil {
		defer f.Close()
		if why := whyNotLinked(f, err); why != "" {
			return fmt.Sprintf("its interpreter %s: %s", interpreter, why)
		}
	}
	return fmt.Sprintf("its interpreter is %s", interpreter)
}

// whyNotLinked looks at an ELF file.
func whyNotLinked(r io.ReaderAt, err error) string {
	f, elfErr := elf.NewFile(r)
	if elfErr != nil {
		return ""
	}
	defer f.Close()
	if errors.Is(err, unix.ENOEXEC) {
		return fmt.Sprintf("it is for another machine (%s, %s), and no emulator is registered for that", f.Machine, f.Class)
	}
	for _, p := range f.Progs {
		if p.Type != elf.PT_INTERP || p.Filesz > 4096 {
			continue
		}
		data := make([]byte, p.Filesz)
		if _, readErr := p.ReadAt(data, 0); readErr != nil {
			return ""
		}
		linker := strings.TrimRight(string(data), "\x00")
		if _, statErr := os.Stat(linker); statErr != nil {
			return fmt.Sprintf("its dynamic linker %s is not in the image", linker)
		}
	}
	return ""
}

// explainLaunch words why the process could not be started: its namespaces come before its program.
func explainLaunch(program string, err error) error {
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EUSERS) || errors.Is(err, unix.EPERM) {
		return host.ExplainStart(fmt.Errorf("make namespaces for %s: %w", program, err), unix.CLONE_NEWUSER|payloadKinds|unix.CLONE_NEWNS)
	}
	return explainExec(program, err)
}
