package stage

import (
	"context"
	"strings"
	"testing"
)

// What crosses the border is hostile until checked: a script could write to the socket.
func FuzzFrame(f *testing.F) {
	f.Add([]byte("A\x00\x00\x00\x02{}"))
	f.Add([]byte("L\xff\xff\xff\xff"))
	f.Add([]byte("A\x00\x00\x00\x09{\"a\":1"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r := strings.NewReader(string(data))
		kind, payload, err := readFrame(r)
		if err != nil {
			return
		}
		relay(context.Background(), nil, payload)
		var out strings.Builder
		must(t, writeFrame(&out, kind, payload))
		if !strings.HasPrefix(string(data), out.String()) {
			t.Errorf("%q came out of %q", out.String(), data)
		}
	})
}
