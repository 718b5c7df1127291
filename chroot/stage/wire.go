package stage

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// The frames on the socket between a client and a function: a kind, the length of the payload (4 bytes, big endian), JSON.
// A request is followed by a line end and the arguments of the function, which may be long: so nobody reads through them but
// who decodes them.
//
//	client    Q request\n arguments     end of stream: cancelled
//	function  L log record …  A answer  end of stream
type frameKind byte

const (
	frameRequest frameKind = 'Q' // client to function, once: request
	frameLog     frameKind = 'L' // function to client: one record of slog's JSON handler
	frameAnswer  frameKind = 'A' // function to client, once, last: answer
)

// maxFrame bounds a frame: far above any list of layers or entries, far below what hurts.
const maxFrame = 64 << 20

// request is what a function is told, and how a process of its own gets ready for it.
type request struct {
	Stage    string
	LogLevel *int `json:",omitempty"` // nil: no logging

	Env         []string `json:",omitempty"` // becomes the environment; never in the environment block, which others can read
	Files       int      `json:",omitempty"` // how many files follow the control socket
	SetIDs      bool     `json:",omitempty"` // become user and group 0: the maps were written from outside
	Groups      bool     `json:",omitempty"` // drop all supplementary groups
	MemoryLimit int64    `json:",omitempty"` // of the garbage collector, in bytes; 0: none
}

// answer is what a function says last.
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
