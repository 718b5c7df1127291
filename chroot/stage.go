package chroot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// stageVar marks a process as a stage; its value is the number of the control socket. Beside it the initial
	// environment of a stage holds only settings of the Go runtime: the environment block of a process can be
	// read in /proc by everything that the process starts.
	stageVar = "_XTOO_STAGE"

	controlFD = 3

	// stageGrace is how long a stage may go on when its context was cancelled.
	stageGrace = 1300 * time.Millisecond
)

// A StageFunc does the work of a stage. Its context ends when the parent cancels or dies; the process ends
// about a second later in any case.
type StageFunc func(ctx context.Context, s *Stage) error

// registered is what a name stands for.
type registered struct {
	fn   StageFunc
	errs []error
}

// registry is filled before Main by the same calls in parent and stage: it stands for code, not for state.
var registry = map[string]registered{}

// Register names a function as a stage. All calls come before [Main], always the same ones in the same order: the
// stage is found by its name in another process. The sentinels are errors that errors.Is shall find on the parent's
// side when the function returned something that wraps them; those of io/fs and this package and all error numbers
// are found anyway. It panics when a name is given twice.
func Register(name string, fn StageFunc, sentinels ...error) {
	if _, ok := registry[name]; ok {
		panic("chroot: two stages are named " + name)
	}
	registry[name] = registered{fn: fn, errs: sentinels}
}

// lookupStage finds a stage of the program or of this package.
func lookupStage(name string) (registered, bool) {
	switch name {
	case stageNode:
		return registered{fn: runNode}, true
	case stageDiagnose:
		return registered{fn: diagnoseInside}, true
	case stageEmulate:
		return registered{fn: emulateInside}, true
	}
	r, ok := registry[name]
	return r, ok
}

// A Stage is what the function of a stage gets of its parent.
type Stage struct {
	Log *slog.Logger // records go to the logger of the Command

	args    json.RawMessage
	result  json.RawMessage
	files   []*os.File
	control *os.File
	mu      sync.Mutex // one frame at a time
}

// Args decodes the arguments of the Command into v.
func (s *Stage) Args(v any) error {
	if err := json.Unmarshal(s.args, v); err != nil {
		return fmt.Errorf("arguments of the stage: %w", err)
	}
	return nil
}

// Result sets what the parent's Wait gets, also beside an error. The last call counts.
func (s *Stage) Result(v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("result of the stage: %w", err)
	}
	s.result = data
	return nil
}

// File returns the i-th of Command.Files, or nil when there are not so many. The function may close it; the others are closed by
// the end of the process.
func (s *Stage) File(i int) *os.File {
	if i < 0 || i >= len(s.files) {
		return nil
	}
	return s.files[i]
}

// Files returns all of Command.Files.
func (s *Stage) Files() []*os.File { return s.files }

func (s *Stage) send(kind frameKind, payload []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return writeFrame(s.control, kind, payload)
}

// stageLog is where the JSON handler of a stage writes.
type stageLog struct{ s *Stage }

// Write sends one record to the parent.
func (l stageLog) Write(line []byte) (int, error) {
	if err := l.s.send(frameLog, line); err != nil {
		return 0, err
	}
	return len(line), nil
}

// Main runs the stage for which this process was started, and ends the process. In a process that is no stage it
// returns at once. It must be called before anything else is done in main or TestMain: in particular before flags
// are read, as a stage has none.
func Main() {
	mark, ok := os.LookupEnv(stageVar)
	if !ok {
		return
	}
	if err := stageMain(mark); err != nil {
		fmt.Fprintln(os.Stderr, "stage:", err) // the parent keeps the end of it
		os.Exit(1)
	}
	os.Exit(0)
}

func stageMain(mark string) error {
	if mark != strconv.Itoa(controlFD) || !isSocket(controlFD) {
		return fmt.Errorf("the environment variable %s is reserved: unset it", stageVar)
	}
	control := os.NewFile(controlFD, "control")
	kind, payload, err := readFrame(control)
	if err != nil || kind != frameRequest {
		return fmt.Errorf("no request of the parent: %w", err)
	}
	var req request
	if err := json.Unmarshal(payload, &req); err != nil {
		return fmt.Errorf("request of the parent: %w", err)
	}
	s := &Stage{control: control, args: req.Args, Log: slog.New(slog.DiscardHandler)}
	if req.LogLevel != nil {
		s.Log = slog.New(slog.NewJSONHandler(stageLog{s}, &slog.HandlerOptions{Level: slog.Level(*req.LogLevel)}))
	}
	for i := range req.Files {
		s.files = append(s.files, os.NewFile(uintptr(controlFD+1+i), "file "+strconv.Itoa(i)))
	}
	found, ok := lookupStage(req.Stage)
	if !ok {
		err = fmt.Errorf("no stage is registered as %q", req.Stage)
	} else {
		err = s.run(req, found.fn)
	}
	data, marshalErr := json.Marshal(answer{Result: s.result, Error: packError(err, found.errs)})
	if marshalErr != nil {
		return marshalErr
	}
	return s.send(frameAnswer, data)
}

// run prepares the process and executes the function.
func (s *Stage) run(req request, fn StageFunc) error {
	if err := settle(req); err != nil {
		return fmt.Errorf("prepare a stage: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	armed := make(chan error)
	go func() {
		// The setting is lost when ids change, and with the thread that made it: this one stays.
		runtime.LockOSThread()
		armed <- unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0)
		// The parent sends nothing after its request: what ends this read is its end, or its shutdown of the
		// socket, which asks us to end.
		var b [1]byte
		_, _ = s.control.Read(b[:]) // whatever the outcome, nobody is left to talk to
		cancel()
		time.Sleep(stageGrace)
		os.Exit(1)
	}()
	if err := <-armed; err != nil {
		return fmt.Errorf("set the parent-death signal: %w", err)
	}
	return fn(ctx, s)
}

// settle turns the process as it was cloned into one that can work.
func settle(req request) error {
	if req.SetIDs || req.Groups {
		if err := becomeRoot(req); err != nil {
			return err
		}
	}
	if err := closeInherited(controlFD + 1 + req.Files); err != nil {
		return err
	}
	if req.Dir != "" {
		if err := os.Chdir(req.Dir); err != nil {
			return err
		}
	}
	os.Clearenv()
	for _, kv := range req.Env {
		for i := 1; i < len(kv); i++ { // from 1: a name may not be empty
			if kv[i] == '=' {
				if err := os.Setenv(kv[:i], kv[i+1:]); err != nil {
					return err
				}
				break
			}
		}
	}
	// Events of the host may come in, nothing of ours goes out.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""); err != nil {
		return explainStart(hostFiles{}, fmt.Errorf("make the mounts private: %w", err))
	}
	return nil
}

// becomeRoot takes id 0 of the new namespace.
func becomeRoot(req request) error {
	if req.Groups {
		if err := syscall.Setgroups(nil); err != nil {
			return explainStart(hostFiles{}, fmt.Errorf("drop supplementary groups: %w", err))
		}
	}
	if !req.SetIDs {
		return nil
	}
	// All capabilities came over execve in the ambient set, and stay with a change of ids from others to 0.
	if err := syscall.Setresgid(0, 0, 0); err != nil {
		return fmt.Errorf("become group 0: %w", err)
	}
	if err := syscall.Setresuid(0, 0, 0); err != nil {
		return fmt.Errorf("become user 0: %w", err)
	}
	// The change made us undumpable, which gives /proc/self to the real root.
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("own /proc/self: %w", err)
	}
	return nil
}

// closeInherited closes what came in from outside of xtoo (a shell's open files) and marks our own to be closed on
// execve. Go itself opens everything close-on-exec, so what is not, from first on, came from outside.
func closeInherited(first int) error {
	for fd := controlFD; fd < first; fd++ {
		unix.CloseOnExec(fd)
	}
	dir, err := os.Open("/proc/self/fd")
	if err != nil {
		return err
	}
	names, err := dir.Readdirnames(-1)
	if err = errors.Join(err, dir.Close()); err != nil {
		return fmt.Errorf("list open files: %w", err)
	}
	for _, name := range names {
		fd, err := strconv.Atoi(name)
		if err != nil || fd < first {
			continue
		}
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		if err != nil || flags&unix.FD_CLOEXEC != 0 {
			continue // already closed: it was the directory; or Go's own
		}
		if err := unix.Close(fd); err != nil {
			return fmt.Errorf("close inherited file %d: %w", fd, err)
		}
	}
	return nil
}

func isSocket(fd int) bool {
	var st unix.Stat_t
	return unix.Fstat(fd, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFSOCK
}
