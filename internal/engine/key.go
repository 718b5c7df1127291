package engine

import (
	"fmt"

	"github.com/opencontainers/go-digest"
)

// keyVersion changes when the same inputs would make other bytes: a new capture rule, another environment.
const keyVersion = "xtoo/1"

// keyOf hashes what something is made from. Every part goes in with its length before it, so that no two
// lists of parts look alike.
func keyOf(kind string, parts ...string) digest.Digest {
	h := digest.SHA256.Digester()
	for _, p := range append([]string{keyVersion, kind}, parts...) {
		_, _ = fmt.Fprintf(h.Hash(), "%d:%s,", len(p), p) // hashing does not fail
	}
	return h.Digest()
}

// keys are the two keys of a node.
type keys struct {
	// key is over the key of what the node builds on, and what it declares. Nothing of the host or of the tier is in it.
	key digest.Digest
	// content is over the layers that the node builds on instead of over their keys: when a node below was executed
	// again and gave the same layer as before, everything above it is still good.
	content digest.Digest
}

func keysOf(c *chain, in []Input) keys {
	var parts []string
	for _, i := range in {
		parts = append(parts, i.Name, i.Digest.String())
	}
	return keys{
		key:     keyOf("node", append([]string{c.key.String()}, parts...)...),
		content: keyOf("node", append([]string{contentBase(c).String()}, parts...)...),
	}
}
