package chroot

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// initName is what ps shows for init.
const initName = "xtoo-init"

// coverTracks overwrites the environment and the arguments with which this process was executed, as
// /proc/1/environ and /proc/1/cmdline show them: a script shall not see a difference between machines.
func coverTracks() error {
	// The name of the whole process: prctl(2) would set that of the thread which happens to be here.
	if err := os.WriteFile("/proc/self/comm", []byte(initName), 0); err != nil {
		return fmt.Errorf("set the name of init: %w", err)
	}
	data, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return err
	}
	// proc_pid_stat(5): fields 48 to 51 are the ends of the arguments and of the environment. The second field
	// is a name in parentheses that may hold anything, so we count from behind it.
	fields := strings.Fields(string(data[strings.LastIndexByte(string(data), ')')+1:]))
	const argStart, argEnd, envStart, envEnd = 48 - 3, 49 - 3, 50 - 3, 51 - 3
	if len(fields) <= envEnd {
		return fmt.Errorf("read /proc/self/stat: %d fields", len(fields))
	}
	for _, area := range []struct {
		from, to int
		text     string
	}{{argStart, argEnd, initName}, {envStart, envEnd, ""}} {
		if err := overwrite(fields[area.from], fields[area.to], area.text); err != nil {
			return err
		}
	}
	return nil
}

// overwrite fills the memory between two addresses with a text and zeros.
func overwrite(from, to, text string) error {
	start, err := strconv.ParseUint(from, 10, 64)
	if err != nil {
		return err
	}
	end, err := strconv.ParseUint(to, 10, 64)
	if err != nil {
		return err
	}
	if end <= start || end-start > 1<<20 {
		return nil
	}
	with := make([]byte, end-start)
	copy(with[:len(with)-1], text)
	local := []unix.Iovec{{Base: &with[0]}}
	local[0].SetLen(len(with))
	// Not through a pointer made of a number: the runtime would have to know that memory.
	_, err = unix.ProcessVMWritev(os.Getpid(), local, []unix.RemoteIovec{{Base: uintptr(start), Len: len(with)}}, 0)
	return err
}
