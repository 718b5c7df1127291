//go:build race

package stage

import (
	"time"
)

// slack is added to every time limit: a program under the race detector sleeps for a second before it ends.
const slack = 1500 * time.Millisecond
