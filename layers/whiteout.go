package layers

import (
	"fmt"
	"strings"
)

// Whiteouts in a layer's tar: https://github.com/opencontainers/image-spec/blob/v1.1.1/layer.md#whiteouts
const (
	WhiteoutPrefix = ".wh."
	// WhiteoutMeta begins names that a storage driver has left behind. Apart from whiteoutOpaque they mean nothing.
	WhiteoutMeta   = ".wh..wh."
	WhiteoutOpaque = ".wh..wh..opq"
)

// WhiteoutTarget returns the name that an entry of a layer's tar is the whiteout of. ok is false for other
// entries, and target is empty for those that begin like a whiteout and must be left out.
func WhiteoutTarget(name string) (target string, ok bool, err error) {
	rest, ok := strings.CutPrefix(name, WhiteoutPrefix)
	if !ok {
		return "", false, nil
	}
	if strings.HasPrefix(name, WhiteoutMeta) {
		return "", true, nil
	}
	if !PlainName(rest) {
		return "", true, fmt.Errorf("%w: whiteout of %q", ErrUnsafe, rest)
	}
	return rest, true, nil
}
