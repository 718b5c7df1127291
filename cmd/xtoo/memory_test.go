package main

import (
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

// After the first collection the heap is kept small, or a long build would fill all the memory that it may have.
func TestFirstCollection(t *testing.T) {
	t.Setenv("GOGC", "")
	before := debug.SetGCPercent(100)
	defer debug.SetGCPercent(before)
	limitMemory()
	for range 200 {
		runtime.GC()
		time.Sleep(10 * time.Millisecond)
		if debug.SetGCPercent(firstPercent) == 100 {
			return
		}
	}
	t.Errorf("the collector still lets the heap grow by %d %%", firstPercent)
}
