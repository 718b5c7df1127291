package engine

import (
	"crypto/sha256"
	"hash"
	"strconv"

	"github.com/opencontainers/go-digest"
)

// keyVersion changes when the same inputs would make other bytes: a new capture rule, another environment.
const keyVersion = "xtoo/1"

// Key hashes what something is made from. Every part goes in with its length before it, so that no two
// lists of parts look alike.
func Key(kind string, parts ...string) digest.Digest {
	sum := sha256.Sum256(appendParts(appendParts(nil, keyVersion, kind), parts...))
	return digest.NewDigestFromBytes(digest.SHA256, sum[:])
}

func appendParts(to []byte, parts ...string) []byte {
	for _, p := range parts {
		to = strconv.AppendInt(to, int64(len(p)), 10)
		to = append(to, ':')
		to = append(to, p...)
		to = append(to, ',')
	}
	return to
}

// A growingKey is a [Key] to which parts can be added, at the cost of those parts alone.
type growingKey struct{ h hash.Hash }

func newGrowingKey(kind string, parts ...string) growingKey {
	k := growingKey{sha256.New()}
	k.h.Write(appendParts(appendParts(nil, keyVersion, kind), parts...)) // hashing does not fail
	return k
}

// with is the key with more parts. The old one can still be used.
func (k growingKey) with(parts ...string) (growingKey, error) {
	h, err := k.h.(hash.Cloner).Clone() //nolint:errcheck // SHA-256 of the standard library is one
	if err != nil {
		return k, err
	}
	h.Write(appendParts(nil, parts...)) // hashing does not fail
	return growingKey{h}, nil
}

func (k growingKey) digest() digest.Digest { return digest.NewDigest(digest.SHA256, k.h) }

// nodeKey is the key of a node that builds on something of that key.
func nodeKey(below digest.Digest, in []input) digest.Digest {
	parts := make([]string, 1, 1+2*len(in))
	parts[0] = below.String()
	for _, i := range in {
		parts = append(parts, i.Name, i.Digest.String())
	}
	return Key("node", parts...)
}
