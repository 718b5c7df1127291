package testutil

import (
	"runtime"
	"testing"
	"time"
)

// NoLeaks fails the test if more goroutines are there at its end than now. They get half a minute to end, which they
// need on a busy machine only. A test that runs beside others cannot use it.
func NoLeaks(t testing.TB) {
	t.Helper()
	before := runtime.NumGoroutine()
	t.Cleanup(func() {
		for end := time.Now().Add(30 * time.Second); runtime.NumGoroutine() > before; time.Sleep(5 * time.Millisecond) {
			if time.Now().After(end) {
				buf := make([]byte, 1<<16)
				t.Errorf("goroutines before: %d, after: %d\n%s", before, runtime.NumGoroutine(), buf[:runtime.Stack(buf, true)])
				return
			}
		}
	})
}
