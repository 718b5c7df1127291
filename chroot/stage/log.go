package stage

import (
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"time"
)

// relay gives a record of a stage's JSON handler to the parent's logger. What is no record is dropped: the
// stage executes what others wrote, and a log is no place to fail.
func relay(ctx context.Context, log *slog.Logger, line []byte) {
	if log == nil {
		return
	}
	fields := map[string]any{}
	if json.Unmarshal(line, &fields) != nil {
		return
	}
	var level slog.Level
	if text, ok := fields[slog.LevelKey].(string); ok {
		if err := level.UnmarshalText([]byte(text)); err != nil {
			return
		}
	}
	message, _ := fields[slog.MessageKey].(string)
	for _, k := range []string{slog.LevelKey, slog.MessageKey, slog.TimeKey} {
		delete(fields, k)
	}
	names := make([]string, 0, len(fields))
	for name := range fields {
		names = append(names, name)
	}
	slices.Sort(names)
	record := slog.NewRecord(time.Now(), level, message, 0)
	for _, name := range names {
		record.AddAttrs(slog.Any(name, fields[name]))
	}
	if h := log.Handler(); h.Enabled(ctx, level) {
		_ = h.Handle(ctx, record) // a logger that fails is its owner's affair, as with slog's own methods
	}
}
