package oneid

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"

	"golang.org/x/sys/unix"

	"xtoo/layers"
)

// execCalls are those that execute a program: they change credentials where it has set-id bits or capabilities, and always
// make the saved ids the effective ones. The change is made before the kernel executes the program, as nothing can be done after
// it; so whatever makes it refuse is looked for first.
func (m Mode) execCalls() []call {
	return []call{
		{name: "execve", nr: numbers{59, 11, 221, 11}, do: func(r *request) answer { return r.execute(unix.AT_FDCWD, 0, 0) }},
		{name: "execveat", nr: numbers{322, 358, 281, 387}, do: func(r *request) answer { return r.execute(r.fd(0), 1, int(r.u32(4))) }},
	}
}

// execute is execve(2) of the path in an argument.
func (r *request) execute(dirfd, arg, flags int) answer {
	path, err := r.pathArg(arg)
	if err != nil || flags&^(unix.AT_SYMLINK_NOFOLLOW|unix.AT_EMPTY_PATH) != 0 {
		return proceed()
	}
	c, changed, err := r.creds()
	if err != nil {
		return proceed()
	}
	p, err := r.program(c, changed, dirfd, path, flags, 0)
	if errors.Is(err, unix.EACCES) && changed {
		return fail(err) // which the kernel would not say to id 0
	}
	if err != nil {
		return proceed() // and it says why not
	}
	if next, errno := c.execute(p); errno == 0 && next == c {
		return proceed()
	}
	a := r.change(func(c cred) (cred, int64, unix.Errno) {
		next, errno := c.execute(p)
		return next, 0, errno
	})
	if a.errno != 0 || a.sent {
		return a
	}
	return proceed()
}

// errNoProgram says that the kernel will not execute a file, or that it is nothing whose bits count.
var errNoProgram = errors.New("not executable")

// maxInterpreters is how many interpreters a script may be behind.
const maxInterpreters = 5

// program finds out what of a file bears on credentials: of a script, it is its interpreter.
func (r *request) program(c cred, changed bool, dirfd int, path string, flags, depth int) (capProgram, error) {
	fd, err := r.open(dirfd, path, flags)
	if err != nil {
		return capProgram{}, err
	}
	defer closeFD(fd)
	f := seen{file: &file{r: r, fd: fd}}
	if err := f.read(); err != nil {
		return capProgram{}, err
	}
	if _, err := r.own(fd, f.via); err != nil { // of the first process it has to be known, see remember
		return capProgram{}, err
	}
	if f.mode = f.st.Mode; changed || f.mode&(unix.S_ISUID|unix.S_ISGID) != 0 { // else whose it is does not matter
		if f, err = r.look(fd); err != nil {
			return capProgram{}, err
		}
	}
	if f.mode&unix.S_IFMT != unix.S_IFREG {
		return capProgram{}, errNoProgram
	}
	if changed && !c.may(f, mayExecute) {
		return capProgram{}, unix.EACCES
	}
	head, err := beginning(f.name())
	if err != nil {
		return capProgram{}, err
	}
	switch {
	case bytes.HasPrefix(head, []byte("#!")):
		if depth == maxInterpreters {
			return capProgram{}, errNoProgram
		}
		interpreter, _, _ := strings.Cut(strings.Trim(firstLine(head[2:]), " \t"), " ")
		interpreter, _, _ = strings.Cut(interpreter, "\t")
		return r.program(c, changed, unix.AT_FDCWD, interpreter, 0, depth+1)
	case !bytes.HasPrefix(head, []byte("\x7fELF")):
		return capProgram{}, errNoProgram // unless binfmt_misc has an interpreter, whose bits hardly count
	}
	return r.bits(f, changed)
}

// bits are what is said of a program beside its content.
func (r *request) bits(f seen, changed bool) (capProgram, error) {
	p := capProgram{uid: f.uid, gid: f.gid}
	p.setUID = f.mode&unix.S_ISUID != 0
	p.setGID = f.mode&(unix.S_ISGID|unix.S_IXGRP) == unix.S_ISGID|unix.S_IXGRP
	if changed { // else it has all capabilities already, and all that it may have
		if err := p.readCaps(f.file); err != nil {
			return p, err
		}
	}
	if !p.setUID && !p.setGID && !p.hasCaps {
		return p, nil
	}
	var fs unix.Statfs_t
	if err := retry(func() error { return unix.Fstatfs(f.fd, &fs) }); err != nil {
		return p, err
	}
	noNew, err := r.status("NoNewPrivs:", 10)
	if err != nil {
		return p, err
	}
	if fs.Flags&unix.ST_NOSUID != 0 || noNew != 0 {
		return capProgram{}, nil
	}
	return p, nil
}

// headSize is how much of a program the kernel looks at (BINPRM_BUF_SIZE).
const headSize = 256

func beginning(path string) ([]byte, error) {
	fd := -1
	err := retry(func() (err error) {
		fd, err = unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
		return err
	})
	if err != nil {
		return nil, err
	}
	defer closeFD(fd)
	head := make([]byte, headSize)
	n := 0
	err = retry(func() (err error) {
		n, err = unix.Read(fd, head)
		return err
	})
	return head[:max(n, 0)], err
}

func firstLine(b []byte) string {
	line, _, _ := bytes.Cut(b, []byte("\n"))
	return string(line)
}

// The parts of security.capability (linux/capability.h).
const (
	vfsCapEffective = 1
	vfsCapRevisions = 0xff000000
	vfsCapRevision1 = 0x01000000
)

// readCaps reads a program's own capabilities.
func (p *capProgram) readCaps(f *file) error {
	value, ok, err := f.handle().Xattr(layers.XattrCapability)
	if err != nil || !ok {
		return err
	}
	b := []byte(layers.CapabilityV2(string(value)))
	if len(b) < 12 {
		return nil
	}
	word := func(i int) capSet { return capSet(binary.LittleEndian.Uint32(b[4*i:])) }
	p.hasCaps, p.effective = true, word(0)&vfsCapEffective != 0
	p.permitted, p.inheritable = word(1), word(2)
	if word(0)&vfsCapRevisions != vfsCapRevision1 && len(b) >= 20 {
		p.permitted |= word(3) << 32
		p.inheritable |= word(4) << 32
	}
	return nil
}
