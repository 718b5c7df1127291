package oneid

import (
	"errors"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// maxLinks is how many symbolic links a path may lead through, as in the kernel.
const maxLinks = 40

// A walk finds a file one name after the other, where a path leads through /proc: there "self" is who asks, and magic links
// lead to open files. Only those of the calling thread and its process are followed; what is another's, the kernel is to
// decide, by what the process may see.
type walk struct {
	r     *request
	at    int  // the directory reached
	own   bool // in the calling process's part of /proc
	links int
}

// from walks. It takes nothing of start over.
func (w *walk) from(start int, path string, follow bool) (int, error) {
	var err error
	if start == unix.AT_FDCWD { // an absolute path, which begins with a name that goes there
		w.at, err = openPath(unix.AT_FDCWD, "/", 0)
	} else {
		w.at, err = openPath(start, ".", 0)
	}
	if err != nil {
		return -1, err
	}
	todo := split(path)
	for len(todo) > 0 {
		name := todo[0]
		todo = todo[1:]
		if name == "" || name == "." {
			if len(todo) == 0 { // a slash at the end
				if err := w.down("."); err != nil {
					return -1, err
				}
			}
			continue
		}
		more, err := w.step(name, follow || len(todo) > 0)
		if err != nil {
			closeFD(w.at)
			return -1, err
		}
		if len(more) > 0 {
			todo = append(more, todo...)
		}
	}
	return w.at, nil
}

func split(path string) []string {
	parts := strings.Split(path, "/")
	if path[0] == '/' {
		parts[0] = "/"
	}
	return parts
}

// step goes to one name, or returns what a link puts in its place.
func (w *walk) step(name string, follow bool) ([]string, error) {
	if name == "/" || name == ".." {
		w.own = false
		return nil, w.down(name)
	}
	onProc, err := isProc(w.at)
	if err != nil {
		return nil, err
	}
	fd, err := openPath(w.at, name, unix.O_NOFOLLOW)
	if err != nil {
		return nil, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		closeFD(fd)
		return nil, err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFLNK || !follow {
		if onProc && !w.own {
			w.own = w.isMine(name)
		} else if !onProc {
			w.own = false
		}
		closeFD(w.at)
		w.at = fd
		return nil, nil
	}
	defer closeFD(fd)
	if w.links++; w.links > maxLinks {
		return nil, unix.ELOOP
	}
	if onProc {
		return w.procLink(fd, name)
	}
	return target(fd)
}

// procLink follows a link of /proc.
func (w *walk) procLink(fd int, name string) ([]string, error) {
	switch {
	case name == "self" && !w.own:
		tgid, err := w.r.tgid()
		return []string{itoa(tgid)}, err
	case name == "thread-self" && !w.own:
		tgid, err := w.r.tgid()
		return []string{itoa(tgid), "task", itoa(w.r.tid)}, err
	}
	if name == "net" || name == "mounts" { // text, which leads over self
		return target(fd)
	}
	if !w.own {
		return nil, errProceed
	}
	to, err := openPath(w.at, name, 0)
	if err != nil {
		return nil, err
	}
	closeFD(w.at)
	w.at, w.own = to, false
	return nil, nil
}

// isMine says that a directory of /proc is that of the calling thread or of its process.
func (w *walk) isMine(name string) bool {
	tgid, err := w.r.tgid()
	return err == nil && (name == itoa(w.r.tid) || name == itoa(tgid))
}

// down opens a name in the directory reached and goes there.
func (w *walk) down(name string) error {
	fd, err := openPath(w.at, name, unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	closeFD(w.at)
	w.at = fd
	return nil
}

// target is where an open link leads, in parts.
func target(fd int) ([]string, error) {
	var buf [unix.PathMax]byte
	n, err := unix.Readlinkat(fd, "", buf[:])
	if err != nil {
		return nil, err
	}
	if n == 0 {
		return nil, unix.ENOENT
	}
	return split(string(buf[:n])), nil
}

// tgid is the process that the calling thread is one of.
func (r *request) tgid() (int, error) {
	return r.status("Tgid:", 10)
}

// status reads a number from /proc/TID/status.
func (r *request) status(field string, base int) (int, error) {
	return statusOf(r.tid, field, base)
}

// statusOf is status of any thread.
func statusOf(tid int, field string, base int) (int, error) {
	data, err := readAll(procOf(tid, "status"))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(data) {
		if text, ok := strings.CutPrefix(line, field); ok {
			n, err := strconv.ParseUint(strings.TrimSpace(text), base, 31)
			return int(n), err
		}
	}
	return 0, unix.ESRCH
}

// readAll reads a small file, by a path from the working directory, which is the thread's own.
func readAll(path string) (string, error) {
	fd, err := openAt(unix.AT_FDCWD, path)
	if err != nil {
		return "", err
	}
	return readFD(fd)
}

// openAt opens a file of /proc for reading.
func openAt(dir int, path string) (int, error) {
	fd := -1
	err := retry(func() (err error) {
		fd, err = unix.Openat(dir, path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		return err
	})
	return fd, err
}

// readFD reads a small file to its end and closes it.
func readFD(fd int) (string, error) {
	f := os.NewFile(uintptr(fd), "proc")
	data, err := io.ReadAll(io.LimitReader(f, 1<<24))
	return string(data), errors.Join(err, f.Close())
}
