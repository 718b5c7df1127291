package chroot

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// streams say which of init's files belong to the standard files of the process. 0: none, since that is the output's.
type streams struct {
	Input    int `json:",omitempty"`
	Errors   int `json:",omitempty"`
	Terminal int `json:",omitempty"` // the socket that its master is sent over

	Rows, Columns uint16 `json:",omitzero"` // of the terminal
}

// standard are the standard files of the process, in init.
type standard struct {
	files  [3]*os.File
	closes []*os.File // what init lets go of when the process has it
	master *os.File   // of the terminal; nil: there is none
	socket *os.File   // that it is sent over
}

// open is called in the guest.
func (s streams) open(file func(int) *os.File) (*standard, error) {
	out := file(0)
	std := &standard{files: [3]*os.File{nil, out, out}, closes: []*os.File{out}}
	var err error
	switch {
	case s.Terminal != 0:
		std.socket = file(s.Terminal)
		var slave *os.File
		if std.master, slave, err = openTerminal(s.Rows, s.Columns); err != nil {
			return nil, err
		}
		std.files = [3]*os.File{slave, slave, slave}
		std.closes = append(std.closes, std.socket, std.master, slave)
	case s.Input != 0:
		std.files[0] = file(s.Input)
		std.closes = append(std.closes, std.files[0])
	default:
		if std.files[0], err = os.OpenFile(os.DevNull, os.O_RDONLY, 0); err != nil {
			return nil, err
		}
		std.closes = append(std.closes, std.files[0])
	}
	if s.Errors != 0 {
		std.files[2] = file(s.Errors)
		std.closes = append(std.closes, std.files[2])
	}
	return std, nil
}

// descriptors are what package syscall wants to know of the files. They are blocking from here on, as programs expect it.
func (std *standard) descriptors() []uintptr {
	return []uintptr{std.files[0].Fd(), std.files[1].Fd(), std.files[2].Fd()}
}

// handOver sends the terminal to Run, if there is a process, and lets go of everything.
func (std *standard) handOver(launched bool) error {
	var err error
	if launched && std.master != nil {
		rights := unix.UnixRights(int(std.master.Fd()))
		if err = unix.Sendmsg(int(std.socket.Fd()), []byte{0}, rights, nil, 0); err != nil {
			err = fmt.Errorf("send the terminal: %w", err)
		}
	}
	for _, f := range std.closes {
		err = errors.Join(err, f.Close())
	}
	return err
}
