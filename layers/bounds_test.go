package layers

import (
	"errors"
	"io"
	"strings"
	"testing"
)

func TestBounds(t *testing.T) {
	small := Bounds{Members: 3, FileSize: 10, content: 15}.WithDefaults()
	if small.Bytes != 1<<40 || small.Members != 3 {
		t.Errorf("%+v", small)
	}
	for name, c := range map[string]struct {
		sizes []int64
		ok    bool
	}{
		"fits": {[]int64{10, 5, 0}, true}, "members": {[]int64{0, 0, 0, 0}, false}, "a file": {[]int64{11}, false}, "all files": {[]int64{8, 8}, false},
		"overflow": {[]int64{1 << 62, 1 << 62, 1 << 62}, false},
	} {
		tally := Tally{Bounds: small}
		var err error
		for _, size := range c.sizes {
			err = errors.Join(err, tally.Add(&Member{Size: size}))
		}
		if (err == nil) != c.ok || err != nil && !errors.Is(err, errTooLarge) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestLimit(t *testing.T) {
	for n, ok := range map[int64]bool{5: true, 6: true, 4: false, 0: false} {
		data, err := io.ReadAll(Limit(strings.NewReader("12345"), n))
		if (err == nil) != ok || ok && string(data) != "12345" || !ok && (!errors.Is(err, errTooLarge) || int64(len(data)) != n) {
			t.Errorf("at most %d: %q, %v", n, data, err)
		}
	}
}
