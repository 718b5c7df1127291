package local

import (
	"testing"
	"time"
)

// A clock may be set while a script runs, as on a board without a battery: what the script writes is of the times before
// and after, and nothing of those between is taken for it.
func TestSpans(t *testing.T) {
	begun, ended := time.Unix(100, 0), time.Unix(1790000000, 0)
	all := spans(begun, ended, time.Minute)
	for at, want := range map[time.Time]bool{
		begun.Add(-time.Minute): false, begun: true, begun.Add(30 * time.Second): true, begun.Add(time.Hour): false,
		time.Unix(1655382896, 0): false,
		ended.Add(-time.Hour):    false, ended.Add(-30 * time.Second): true, ended: true, ended.Add(time.Minute): false,
	} {
		got := false
		for _, s := range all {
			got = got || !at.Before(s.From) && !at.After(s.To)
		}
		if got != want {
			t.Errorf("%s: %v", at, got)
		}
	}
}
