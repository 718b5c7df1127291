package testutil

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestTimer(t *testing.T) {
	stalled, counted := stalls()
	t.Logf("tasks waited for %v since the machine was started; counted: %v", stalled, counted)
	for name, c := range map[string]struct {
		timer Timer
		fails bool
	}{
		"in time":            {NewTimer(), false},
		"late":               {Timer{time.Now().Add(-time.Hour), stalled, counted}, true},
		"late, machine busy": {Timer{time.Now().Add(-time.Hour), stalled - time.Hour, counted}, !counted},
		"nothing is counted": {Timer{begun: time.Now().Add(-time.Minute)}, false},
	} {
		said := &kept{TB: t}
		c.timer.Within(said, 10*time.Second, "the work")
		if (said.text != "") != c.fails || c.fails && !strings.Contains(said.text, "the work took 1h") {
			t.Errorf("%s: %q", name, said.text)
		}
	}
}

// kept keeps what a test would have failed with.
type kept struct {
	testing.TB
	text string
}

func (f *kept) Errorf(format string, args ...any) { f.text += fmt.Sprintf(format, args...) }
