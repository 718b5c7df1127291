//go:build !race

package stage

import (
	"time"
)

// slack is added to every time limit: see its twin for the race detector.
const slack = 200 * time.Millisecond
