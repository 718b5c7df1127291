package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	"xtoo/projects"
)

// checkRecord refuses to write answers over what holds none, a configuration say, or over what is no file: before somebody is asked.
func (o planOptions) checkRecord() error {
	if o.record == "" || slices.Contains(o.answers, o.record) {
		return nil
	}
	info, err := os.Stat(o.record)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("--record: %w", err)
	case !info.Mode().IsRegular():
		return usagef("--record %s: it is there, and is not a file", o.record)
	}
	f, err := os.Open(o.record)
	if err != nil {
		return fmt.Errorf("--record: %w", err)
	}
	defer f.Close() // read only: nothing can be lost
	head := make([]byte, projects.RecordHead)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("--record: %w", err)
	}
	if n > 0 && !projects.IsRecord(head[:n]) {
		return usagef("--record %s: the file is there, and `xtoo build --record` did not write it: name another one, or give it with --answers, too", o.record)
	}
	return nil
}
