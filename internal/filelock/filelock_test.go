package filelock

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"xtoo/internal/testutil"
)

// takers are the two kinds of lock.
func takers(t *testing.T) map[string]func(ctx context.Context, waiting func()) (*Lock, error) {
	dir := t.TempDir()
	return map[string]func(context.Context, func()) (*Lock, error){
		"file": func(ctx context.Context, waiting func()) (*Lock, error) {
			return Wait(ctx, filepath.Join(dir, "l"), waiting)
		},
		"dir": func(ctx context.Context, _ func()) (*Lock, error) {
			return Dir(ctx, dir, filepath.Join(dir, "fallback"))
		},
	}
}

func TestOneAtATime(t *testing.T) {
	for name, take := range takers(t) {
		var inside, waited atomic.Int32
		var wg sync.WaitGroup
		for range 6 {
			wg.Go(func() {
				for range 10 {
					l, err := take(t.Context(), func() { waited.Add(1) })
					if err != nil {
						t.Error(err)
						return
					}
					if n := inside.Add(1); n != 1 {
						t.Errorf("%s: %d inside at a time", name, n)
					}
					time.Sleep(100 * time.Microsecond)
					inside.Add(-1)
					if err := l.Unlock(); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		if name == "file" && waited.Load() == 0 {
			t.Error("nobody ever waited: the test shows nothing")
		}
	}
}

func TestWaitingEndsWithTheContext(t *testing.T) {
	dir := t.TempDir()
	fallback := filepath.Join(dir, "fallback")
	testutil.Must(t, os.WriteFile(fallback, nil, 0o600))
	for name, take := range map[string]func(context.Context, func()) (*Lock, error){
		"file": func(ctx context.Context, _ func()) (*Lock, error) { return Wait(ctx, filepath.Join(dir, "l"), nil) },
		"dir":  func(ctx context.Context, _ func()) (*Lock, error) { return Dir(ctx, dir, fallback) },
	} {
		l, err := take(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
		if _, err := take(ctx, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: waiting for a held lock ends with %v", name, err)
		}
		cancel()
		if err := l.Unlock(); err != nil {
			t.Error(err)
		}
	}
}

func TestFileOfALock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "l")
	l, err := Try(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Try(path); !errors.Is(err, ErrLocked) {
		t.Errorf("a held lock gives %v", err)
	}
	if err := l.Unlock(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Error("the file stays after Unlock")
	}
	if l, err = Try(path); err != nil {
		t.Fatal(err)
	}
	if err := l.Abandon(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Error("the file is gone after Abandon")
	}
	if l, err = Try(path); err != nil {
		t.Errorf("an abandoned lock cannot be taken: %v", err)
	}
	if err := l.Unlock(); err != nil {
		t.Error(err)
	}
}

// A directory that is replaced while somebody waits for it is not taken for the one of its name.
func TestReplacedDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	if _, err := Dir(t.Context(), dir, ""); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing directory gives %v", err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	l, err := Dir(t.Context(), dir, filepath.Join(dir, "f"))
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan error)
	go func() {
		_, err := Dir(t.Context(), dir, filepath.Join(dir, "f"))
		got <- err
	}()
	for opened(t, dir) < 2 { // by us, and by who waits
		time.Sleep(time.Millisecond)
	}
	if err := errors.Join(os.Rename(dir, dir+".old"), os.Mkdir(dir, 0o700), l.Unlock()); err != nil {
		t.Fatal(err)
	}
	if err := <-got; !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the lock of a replaced directory is given: %v", err)
	}
}

// opened counts how often this process has a directory open.
func opened(t *testing.T, dir string) int {
	t.Helper()
	files, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, f := range files {
		if to, err := os.Readlink(f); err == nil && to == dir { // others come and go
			n++
		}
	}
	return n
}

// TestNoLocks: where the file system has none (Lustre without its option flock), processes exclude each other all the same.
func TestNoLocks(t *testing.T) {
	result := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the filter is the thread's
		result <- withoutFlock(t)
	}()
	if err := <-result; err != nil {
		t.Error(err)
	}
}

func withoutFlock(t *testing.T) error {
	if err := testutil.RefuseCall(unix.SYS_FLOCK, unix.ENOSYS, false); err != nil {
		return err
	}
	dir := t.TempDir()
	fallback := filepath.Join(dir, "fallback")
	testutil.Must(t, os.WriteFile(fallback, nil, 0o600))
	for name, take := range map[string]func(context.Context, func()) (*Lock, error){
		"file": func(ctx context.Context, _ func()) (*Lock, error) { return Wait(ctx, filepath.Join(dir, "l"), nil) },
		"dir":  func(ctx context.Context, _ func()) (*Lock, error) { return Dir(ctx, dir, fallback) },
	} {
		l, err := take(t.Context(), nil)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		if again, err := take(ctx, nil); !errors.Is(err, context.DeadlineExceeded) {
			cancel()
			return fmt.Errorf("%s: taken twice: %v, %w", name, again, err)
		}
		cancel()
		if err := l.Unlock(); err != nil {
			return err
		}
		if l, err = take(t.Context(), nil); err != nil {
			return fmt.Errorf("%s, once more: %w", name, err)
		}
		if err := l.Unlock(); err != nil {
			return err
		}
	}
	return nil
}
