package projects

import (
	"encoding"
	"fmt"
	"io"
	"strings"
)

// Secret is a text that must not be seen. Every way of printing or encoding it makes "(secret)";
// [Secret.Reveal] alone gives the text.
type Secret struct {
	text string
}

// Whatever encodes texts encodes it so.
var _ encoding.TextMarshaler = Secret{}

const hidden = "(secret)"

// MinSecret is the length in bytes below which a text cannot be searched for in what a script prints: it would be found
// everywhere. A secret has at least one line that is as long, or is empty.
const MinSecret = 4

// findable says whether a secret can be kept out of logs.
func findable(text string) bool {
	for line := range strings.Lines(text) {
		if len(strings.TrimRight(line, "\r\n")) >= MinSecret {
			return true
		}
	}
	return text == ""
}

// newSecret hides a text.
func newSecret(text string) *Secret { return &Secret{text} }

// Reveal returns the text, for the file that the script reads it from and for keyed digests.
func (s *Secret) Reveal() string { return s.text }

// String hides the text.
func (s *Secret) String() string { return hidden }

// GoString hides the text from %#v.
func (s *Secret) GoString() string { return hidden }

// Format hides the text from every verb. It has the value as its receiver so that dereferenced secrets in
// printed structs are hidden too.
func (s Secret) Format(f fmt.State, _ rune) {
	// A failed write is the printer's to report: fmt ignores errors of formatters.
	_, _ = io.WriteString(f, hidden)
}

// MarshalText hides the text from JSON, YAML and XML.
func (s Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }
