package engine

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"

	"github.com/opencontainers/go-digest"

	"xtoo/projects"
)

// An Input is one thing that a node is made from, besides what it builds on.
type Input struct {
	Name   string        `json:"name"`
	Digest digest.Digest `json:"digest"`
}

// inputs lists what a node is made from. Secrets enter under a key that only this store has: their plain digests
// could be guessed back.
func (b *build) inputs(ctx context.Context, n *projects.Node) ([]Input, error) {
	read, err := n.Inputs(ctx, nil)
	if err != nil {
		return nil, err
	}
	in := make([]Input, len(read.Components))
	for i, c := range read.Components {
		in[i] = Input{Name: c.Name, Digest: c.Digest}
		if c.Secret == nil {
			continue
		}
		key, err := b.o.Store.SecretKey()
		if err != nil {
			return nil, err
		}
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(c.Secret.Reveal())) // hashing does not fail
		in[i].Digest = digest.NewDigest(digest.SHA256, mac)
	}
	return in, nil
}
