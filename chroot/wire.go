package chroot

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// The frames between a parent and its stage: a kind, the length of the payload (4 bytes, big endian), JSON.
type frameKind byte

const (
	frameRequest frameKind = 'Q' // parent to stage, once: request
	frameLog     frameKind = 'L' // stage to parent: one record of slog's JSON handler
	frameAnswer  frameKind = 'A' // stage to parent, once, last: answer
)

// maxFrame bounds a frame: far above any list of layers or entries, far below what hurts.
const maxFrame = 64 << 20

// request is what a stage is told.
type request struct {
	Stage    string
	Args     json.RawMessage
	Env      []string // becomes the environment of the stage; never in its environment block, which others can read
	Dir      string   // working directory; "": as the parent's
	Files    int      // how many files follow the control socket
	SetIDs   bool     // become user and group 0: the maps were written from outside
	Groups   bool     // drop all supplementary groups
	LogLevel *int     // nil: no logging
}

// answer is what a stage says last.
type answer struct {
	Result json.RawMessage `json:",omitempty"`
	Error  *wireError      `json:",omitempty"`
}

// writeFrame sends one frame in one write, so that frames of several goroutines (who must hold a lock) and the end
// of a stage never tear one.
func writeFrame(w io.Writer, kind frameKind, payload []byte) error {
	if len(payload) > maxFrame {
		return fmt.Errorf("send %d bytes: more than the %d of a message", len(payload), maxFrame)
	}
	frame := make([]byte, 5, 5+len(payload))
	frame[0] = byte(kind)
	binary.BigEndian.PutUint32(frame[1:], uint32(len(payload)))
	_, err := w.Write(append(frame, payload...))
	return err
}

// readFrame receives one frame. At the end of the stream between two frames it returns io.EOF.
func readFrame(r io.Reader) (frameKind, []byte, error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	n := binary.BigEndian.Uint32(head[1:])
	if n > maxFrame {
		return 0, nil, fmt.Errorf("receive %d bytes: more than the %d of a message", n, maxFrame)
	}
	payload := make([]byte, n)
	if _, err := io.ReadFull(r, payload); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return 0, nil, err
	}
	return frameKind(head[0]), payload, nil
}
