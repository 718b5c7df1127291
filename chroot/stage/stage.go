package stage

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"sync"
)

// A Stage is what a function gets of its client.
type Stage struct {
	Log *slog.Logger // records go to the logger of the Command

	args    json.RawMessage
	result  json.RawMessage
	files   []*os.File
	control *os.File
	mu      sync.Mutex // one frame at a time
}

// Args decodes the arguments of the Command into v.
func (s *Stage) Args(v any) error {
	if err := json.Unmarshal(s.args, v); err != nil {
		return fmt.Errorf("arguments of the stage: %w", err)
	}
	return nil
}

// Result sets what the client's Wait gets, also beside an error. The last call counts.
func (s *Stage) Result(v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("result of the stage: %w", err)
	}
	s.result = data
	return nil
}

// File returns the i-th of Command.Files, or nil when there are not so many. The function may close it; the others are
// closed when it has returned.
func (s *Stage) File(i int) *os.File {
	if i < 0 || i >= len(s.files) {
		return nil
	}
	return s.files[i]
}

func (s *Stage) send(kind frameKind, payload []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return writeFrame(s.control, kind, payload)
}

// stageLog is where the JSON handler of a stage writes.
type stageLog struct{ s *Stage }

// Write sends one record to the client.
func (l stageLog) Write(line []byte) (int, error) {
	if err := l.s.send(frameLog, line); err != nil {
		return 0, err
	}
	return len(line), nil
}
