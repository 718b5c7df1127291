package unpack

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
)

type hashWriter struct{ hash.Hash }

func newHash() hashWriter        { return hashWriter{sha256.New()} }
func (h hashWriter) hex() string { return hex.EncodeToString(h.Sum(nil)) }
