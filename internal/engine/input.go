package engine

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"io"

	"github.com/opencontainers/go-digest"

	"xtoo/projects"
)

// An input is one thing that a node is made from, besides what it builds on.
type input struct {
	Name   string        `json:"name"`
	Digest digest.Digest `json:"digest"`
}

// inputs are all that a node is made from, besides what it builds on. Once they are kept, the store has the content of
// script and files, and what has those digests is what is executed, whatever becomes of the files.
type inputs struct {
	list   []input // sorted by name
	script File
	files  []File
}

// readInputs reads what a node is made from, and keeps script and files in the store if keep says so.
func (b *build) readInputs(ctx context.Context, n *projects.Node, keep bool) (inputs, error) {
	var keeper projects.Keeper
	if keep {
		keeper = b.keep
	}
	read, err := n.Inputs(ctx, keeper)
	if err != nil {
		return inputs{}, err
	}
	in := inputs{
		list:   make([]input, len(read.Components)),
		script: File{Path: scriptFile, Mode: 0o755, Digest: read.Script.Digest, Size: read.Script.Size},
	}
	for i, c := range read.Components {
		in.list[i] = input{Name: c.Name, Digest: c.Digest}
		if c.Secret == nil {
			continue
		}
		key, err := b.secretKey()
		if err != nil {
			return inputs{}, err
		}
		// Their plain digests could be guessed back.
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(c.Secret.Reveal())) // hashing does not fail
		in.list[i].Digest = digest.NewDigest(digest.SHA256, mac)
	}
	for _, e := range read.Files {
		in.files = append(in.files, File{
			Path: belowRun(projects.FilesDir) + "/" + e.Path, Mode: e.Mode, Digest: e.Digest, Size: e.Size, Target: e.Target,
		})
	}
	return in, nil
}

// keep is a [projects.Keeper]: what it reads is in the store when its digest enters a key.
func (b *build) keep(ctx context.Context, open func() (io.ReadCloser, error)) (digest.Digest, int64, error) {
	r, err := open()
	if err != nil {
		return "", 0, err
	}
	defer r.Close() // read only
	return b.o.Store.KeepInput(ctx, r)
}

// secretKey is the store's. Who only looks makes none.
func (b *build) secretKey() ([]byte, error) {
	b.secret.Do(func() {
		if b.looking {
			b.secretBytes, b.secretErr = b.o.Store.LookSecretKey()
			return
		}
		b.secretBytes, b.secretErr = b.o.Store.SecretKey()
	})
	return b.secretBytes, b.secretErr
}
