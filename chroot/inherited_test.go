package chroot

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"xtoo/internal/testutil"
)

// TestNodeInheritsNothing: limits, priority, processors, personality and signals of the caller do not reach a script.
func TestNodeInheritsNothing(t *testing.T) {
	testutil.Need(t, "sh")
	h := probed(t)
	r := newRoot(t, h, ordinary()...)
	var want string
	testutil.Need(t, "setarch", "taskset", "ionice", "chrt", "nice")
	programs := "setarch i686 -R taskset 1 ionice -c 3 chrt -b 0"
	if os.Geteuid() == 0 {
		programs += " nice -n 5" // nobody else may lower it again
	}
	for i, c := range [][2]string{
		{}, {"ulimit -S -s 1024; ulimit -S -n 300; ulimit -S -v 100000000; ulimit -S -f 1000000; umask 077; trap '' HUP INT TSTP TTIN TTOU USR1"},
		{"", programs},
	} {
		prepare, program := c[0], c[1]
		must(t, os.RemoveAll(filepath.Join(r.dir, "upper")))
		must(t, os.Mkdir(filepath.Join(r.dir, "upper"), 0o755))
		n := r.freshWork()
		verbs := []string{"/bin/guest", "signals", ";", "nice", ";", "cpus", ";", "umask", ";", "uname", ";", "cat", "/proc/1/limits", ";", "cat", "/proc/self/personality"}
		args, err := json.Marshal(map[string]any{"Args": verbs, "Lowers": n.Lowers, "Upper": n.Upper, "Work": n.Work})
		must(t, err)
		self, err := os.Executable()
		must(t, err)
		cmd := exec.Command("sh", "-c", prepare+"\nexec "+program+" \"$0\"", self)
		cmd.Env = append(os.Environ(), driverVar+"="+string(args))
		out, _ := cmd.CombinedOutput() // it ends with an error in any case
		switch {
		case i == 0:
			want = string(out)
			contains(t, want, "nice 0", "Max stack size            8388608 ", "Max open files            1024 ")
		case string(out) != want:
			t.Errorf("%s %s:\n%s\nnot:\n%s", prepare, program, out, want)
		}
	}
}

// TestLimitTooLow: a limit that shows in what is built, and that nobody here can raise, is an error with a way out.
func TestLimitTooLow(t *testing.T) {
	l := limit{kind: unix.RLIMIT_SIGPENDING, name: "nofile", soft: unlimited, needed: true}
	err := l.set()
	if err == nil {
		t.Fatal("no error")
	}
	contains(t, err.Error(), "the limit nofile is", "scripts have")
	if errors.Unwrap(err) == nil {
		t.Error("no hint")
	}
}
