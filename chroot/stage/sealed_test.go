package stage

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"xtoo/chroot/host"
)

// TestSealed: the program file of a process of its own cannot be changed through it, however it was sealed.
func TestSealed(t *testing.T) {
	before, err := os.Stat(ownProgram)
	must(t, err)
	c := client(t, probe(t))
	for _, n := range []int{0, 55, maxFiles - 3, 1} { // the numbers of few files leave room for the program's in a small table
		var files []*os.File
		for range n {
			f, err := os.Open(os.DevNull)
			must(t, err)
			files = append(files, f)
		}
		var got sealedResult
		must(t, runStage(t, c, Command{Stage: "test.sealed", Files: files}, &got))
		if got.Mount != "" || got.Copy != "" {
			t.Errorf("with %d files: %+v", n, got)
		}
		must(t, closeAll(files))
	}
	after, err := os.Stat(ownProgram)
	must(t, err)
	if after.Mode() != before.Mode() || after.Size() != before.Size() {
		t.Errorf("the program is %v, %d bytes", after.Mode(), after.Size())
	}
}

type sealedResult struct{ Mount, Copy string } // what went wrong

// trySealed is a function that tries to change what it executes.
func trySealed(s *Stage) error {
	var r sealedResult
	if err := os.Chmod(ownProgram, 0o4777); !errors.Is(err, unix.EROFS) {
		r.Mount = fmt.Sprint("chmod: ", err)
	}
	fd, err := copyProgram()
	if err != nil {
		return err
	}
	path, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
	if err != nil || !strings.HasPrefix(path, "/memfd:") {
		r.Copy = fmt.Sprint(path, err)
	}
	if _, err := unix.Pwrite(fd, []byte("x"), 0); !errors.Is(err, unix.EPERM) {
		r.Copy = fmt.Sprint("write: ", err)
	}
	return errors.Join(s.Result(r), unix.Close(fd))
}

// TestLimits: the hint names the limit that is in the way.
func TestLimits(t *testing.T) {
	c := client(t, probe(t))
	for _, kind := range []string{"net", "uts"} {
		err := runStage(t, c, Command{Stage: "test.limit", Args: kind}, nil)
		if !errors.Is(err, unix.ENOSPC) || !strings.Contains(host.Hint(err), "sysctl -w user.max_"+kind+"_namespaces=") {
			t.Errorf("%s: %v (%s)", kind, err, host.Hint(err))
		}
	}
}
