package stage4

import (
	"bufio"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"hash"
	"io"

	"github.com/opencontainers/go-digest"
	"golang.org/x/crypto/blake2b"
)

// ContentsSuffix and the others follow the name of a tarball in those of the files beside it.
const (
	ContentsSuffix = ".CONTENTS.gz"
	DigestsSuffix  = ".DIGESTS"
	SHA256Suffix   = ".sha256"
)

// Digests are of a tarball and of its listing.
type Digests struct {
	name              string
	tarball, contents *hashed
}

// Tarball is the tarball's digest.
func (d *Digests) Tarball() digest.Digest { return digest.NewDigest(digest.SHA256, d.tarball.sha256) }

// Contents is the listing's digest.
func (d *Digests) Contents() digest.Digest { return digest.NewDigest(digest.SHA256, d.contents.sha256) }

// SHA256 is what the file of that suffix holds: what `sha256sum` prints, as Gentoo publishes it but for the signature.
func (d *Digests) SHA256() []byte { return sum(d.tarball.sha256, d.name) }

// File is what .DIGESTS holds, in the form of catalyst.
func (d *Digests) File() []byte {
	var text []byte
	for _, f := range []struct {
		name string
		of   *hashed
	}{{d.name, d.tarball}, {d.name + ContentsSuffix, d.contents}} {
		text = append(append(text, "# BLAKE2B HASH\n"...), sum(f.of.blake2b, f.name)...)
		text = append(append(text, "# SHA512 HASH\n"...), sum(f.of.sha512, f.name)...)
	}
	return text
}

func sum(h hash.Hash, name string) []byte { return fmt.Appendf(nil, "%x  %s\n", h.Sum(nil), name) }

// hashed hashes what goes into a file.
type hashed struct {
	*bufio.Writer
	sha256, sha512, blake2b hash.Hash
}

func newHashed(w io.Writer) (*hashed, error) {
	b, err := blake2b.New512(nil)
	if err != nil {
		return nil, err
	}
	h := &hashed{sha256: sha256.New(), sha512: sha512.New(), blake2b: b}
	h.Writer = bufio.NewWriterSize(io.MultiWriter(w, h.sha256, h.sha512, h.blake2b), 1<<20)
	return h, nil
}
