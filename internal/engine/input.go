package engine

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"os"

	"github.com/opencontainers/go-digest"

	"xtoo/projects"
)

// An Input is one thing that a node is made from, besides what it builds on.
type Input struct {
	Name   string        `json:"name"`
	Digest digest.Digest `json:"digest"`
}

// inputs are all that a node is made from, besides what it builds on. Once they are kept, the store has the content of
// script and files, and what has those digests is what is executed, whatever becomes of the files.
type inputs struct {
	list   []Input // sorted by name
	script File
	files  []File
}

// readInputs reads what a node is made from, and keeps script and files in the store if keep says so.
func (b *build) readInputs(ctx context.Context, n *projects.Node, keep bool) (inputs, error) {
	components, err := n.Inputs()
	if err != nil {
		return inputs{}, err
	}
	in := inputs{list: make([]Input, len(components))}
	for i, c := range components {
		in.list[i] = Input{Name: c.Name, Digest: c.Digest}
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
	in.script = File{Path: scriptFile, Mode: 0o755, Digest: n.ScriptDigest(), Size: int64(len(n.Body))}
	if !keep {
		return in, nil
	}
	if _, _, err := b.o.Store.KeepInput(ctx, bytes.NewReader(n.Body)); err != nil {
		return inputs{}, fmt.Errorf("%s: script of node %s: %w", n.Pos, n.Path, err)
	}
	for _, set := range n.Files {
		entries, err := set.Entries()
		if err != nil {
			return inputs{}, fmt.Errorf("%s: %w", set.Pos, err)
		}
		for _, e := range entries {
			if err := b.keepFile(ctx, e); err != nil {
				return inputs{}, fmt.Errorf("%s: %w", set.Pos, err)
			}
			in.files = append(in.files, File{
				Path: belowRun(projects.FilesDir) + "/" + e.Path, Mode: e.Mode, Digest: e.Digest, Size: e.Size, Target: e.Target,
			})
		}
	}
	return in, nil
}

func (b *build) keepFile(ctx context.Context, e projects.FileEntry) error {
	if !e.Mode.IsRegular() {
		return nil
	}
	f, err := os.Open(e.Host)
	if err != nil {
		return err
	}
	defer f.Close() // read only
	d, _, err := b.o.Store.KeepInput(ctx, f)
	if err == nil && d != e.Digest {
		err = fmt.Errorf("%s changed while it was read", e.Host)
	}
	return err
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
