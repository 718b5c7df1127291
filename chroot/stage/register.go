package stage

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// stageVar marks a process of this package; its value is the number of the control socket. Beside it the initial
	// environment holds only settings of the Go runtime: the environment block of a process can be read in /proc by
	// everything that the process starts.
	stageVar = "_XTOO_STAGE"

	controlFD = 3

	// stageGrace is how long a process may go on when its context was cancelled.
	stageGrace = 1300 * time.Millisecond
)

// A Func does the work of a stage. Its context ends when the client cancels or dies; then it should end soon.
type Func func(ctx context.Context, s *Stage) error

// registered is what a name stands for.
type registered struct {
	fn    Func
	alone bool
	errs  []error
}

// registry is filled before Main by the same calls in every process: it stands for code, not for state.
var registry = map[string]registered{}

// Register names a function. All calls come before [Main], always the same ones: the function is found by its name in
// another process. It is executed by a server, beside others: see the package's documentation for what it must leave
// alone. The sentinels are errors that errors.Is shall find on the client's side when the function returned something
// that wraps them; those of io/fs, of this package and of chroot/host and all error numbers are found anyway. It panics when
// a name is given twice.
func Register(name string, fn Func, sentinels ...error) {
	add(name, registered{fn: fn, errs: sentinels})
}

// RegisterAlone is Register for a function that needs a process of its own. That is killed about a second after its
// context was cancelled.
func RegisterAlone(name string, fn Func, sentinels ...error) {
	add(name, registered{fn: fn, alone: true, errs: sentinels})
}

func add(name string, r registered) {
	if _, ok := lookup(name); ok {
		panic("stage: two functions are named " + name)
	}
	registry[name] = r
}

// lookup finds a function of the program, or the server.
func lookup(name string) (registered, bool) {
	if name == serverName {
		return registered{fn: serve, alone: true}, true
	}
	r, ok := registry[name]
	return r, ok
}

// Main executes the function for which this process was started, and ends the process. In the program as the user started
// it, it returns at once. It must be called before anything else is done in main or TestMain: in particular before flags are
// read, as the other processes have none.
func Main() {
	mark, ok := os.LookupEnv(stageVar)
	if !ok {
		return
	}
	if err := stageMain(mark); err != nil {
		fmt.Fprintln(os.Stderr, "stage:", err) // the parent keeps the beginning of it
		os.Exit(1)
	}
	os.Exit(0)
}

func stageMain(mark string) error {
	if mark != strconv.Itoa(controlFD) || !isSocket(controlFD) {
		return fmt.Errorf("the environment variable %s is reserved: unset it", stageVar)
	}
	s := &Stage{control: os.NewFile(controlFD, "control")}
	req, err := s.receive()
	if err != nil {
		return err
	}
	for i := range req.Files {
		s.files = append(s.files, os.NewFile(uintptr(controlFD+1+i), "file "+strconv.Itoa(i)))
	}
	found, ok := lookup(req.Stage)
	if !ok {
		err = fmt.Errorf("no stage is registered as %q", req.Stage)
	} else {
		err = s.run(req, found.fn)
	}
	return s.answer(err, found.errs)
}

// receive reads the request.
func (s *Stage) receive() (*request, error) {
	kind, payload, err := readFrame(s.control)
	if err != nil || kind != frameRequest {
		return nil, fmt.Errorf("no request of the client: %w", err)
	}
	payload, args, _ := bytes.Cut(payload, []byte{'\n'})
	req := new(request)
	if err := json.Unmarshal(payload, req); err != nil {
		return nil, fmt.Errorf("request of the client: %w", err)
	}
	s.args, s.Log = args, slog.New(slog.DiscardHandler)
	if req.LogLevel != nil {
		s.Log = slog.New(slog.NewJSONHandler(stageLog{s}, &slog.HandlerOptions{Level: slog.Level(*req.LogLevel)}))
	}
	return req, nil
}

// answer sends the last frame.
func (s *Stage) answer(err error, sentinels []error) error {
	data, err := json.Marshal(answer{Result: s.result, Error: packError(err, sentinels)})
	if err != nil {
		return err
	}
	return s.send(frameAnswer, data)
}

// run prepares the process and executes the function.
func (s *Stage) run(req *request, fn Func) error {
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
		s.hangUp(cancel)
		time.Sleep(stageGrace)
		os.Exit(1)
	}()
	if err := <-armed; err != nil {
		return fmt.Errorf("set the parent-death signal: %w", err)
	}
	return fn(ctx, s)
}

// hangUp calls cancel at the end of the socket. The client sends nothing after its request: what ends this read is its
// end, or its shutdown of the socket, which asks the function to end.
func (s *Stage) hangUp(cancel func()) {
	var b [1]byte
	_, _ = s.control.Read(b[:]) // whatever the outcome, nobody is left to talk to
	cancel()
}
