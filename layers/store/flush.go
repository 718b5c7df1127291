package store

import (
	"os"

	"golang.org/x/sys/unix"
)

// flushEvery is how many bytes are handed to the disk at a time.
const flushEvery = 8 << 20

// A flusher starts the writing of a growing file to the disk as it grows, so that the sync at the
// end does not have to wait for all of it.
type flusher struct {
	f     *os.File
	begun int64
}

func (w *flusher) wrote(size int64) {
	if size-w.begun < flushEvery {
		return
	}
	// Advice only: where it is not supported, the sync at the end does the work.
	_ = unix.SyncFileRange(int(w.f.Fd()), w.begun, size-w.begun, unix.SYNC_FILE_RANGE_WRITE)
	w.begun = size
}
