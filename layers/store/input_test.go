package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/opencontainers/go-digest"

	"xtoo/layers/store"
)

func TestInputs(t *testing.T) {
	s := openStore(t)
	d, size, err := s.KeepInput(t.Context(), strings.NewReader("script"))
	if err != nil || d != digest.FromString("script") || size != 6 {
		t.Fatal(d, size, err)
	}
	read := func() (string, error) {
		r, err := s.OpenInput(d)
		if err != nil {
			return "", err
		}
		defer r.Close()
		data, err := io.ReadAll(r)
		return string(data), err
	}
	if got, err := read(); err != nil || got != "script" {
		t.Errorf("%q, %v", got, err)
	}
	if err := os.WriteFile(s.InputPath(d), []byte("damage"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := read(); !errors.Is(err, store.ErrDamaged) {
		t.Errorf("a damaged input gives %v", err)
	}
	if _, _, err := s.KeepInput(t.Context(), strings.NewReader("script")); err != nil {
		t.Fatal(err)
	}
	if got, err := read(); err != nil || got != "script" {
		t.Errorf("kept again: %q, %v", got, err)
	}
	for _, bad := range []digest.Digest{"", "sha256:..", "sha512:" + digest.Digest(strings.Repeat("a", 128))} {
		if _, err := s.OpenInput(bad); err == nil {
			t.Errorf("%q is opened", bad)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := s.KeepInput(ctx, strings.NewReader("other")); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if err := s.Close(t.Context(), removeAll); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(filepath.Join(s.Dir(), "inputs")); err != nil || len(left) != 1 {
		t.Errorf("left %v, %v", left, err)
	}
}

// Every change of the index is kept, however many there are at once; one that changes nothing writes nothing.
func TestUpdateIndex(t *testing.T) {
	s := openStore(t)
	add := func(line string) error {
		return s.UpdateIndex(t.Context(), func(old []byte) ([]byte, error) {
			if bytes.Contains(old, []byte(line)) {
				return old, nil
			}
			return append(bytes.Clone(old), line...), nil
		})
	}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			if err := add(fmt.Sprintf("line %d\n", i)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	path := filepath.Join(s.LayoutDir(), "index.json")
	data, err := os.ReadFile(path)
	if err != nil || len(data) != 8*7 {
		t.Errorf("%q, %v", data, err)
	}
	if data, err := os.ReadFile(filepath.Join(s.LayoutDir(), "oci-layout")); err != nil || string(data) != `{"imageLayoutVersion":"1.0.0"}` {
		t.Errorf("%q, %v", data, err)
	}
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	if err := s.UpdateIndex(t.Context(), func([]byte) ([]byte, error) { return nil, broken }); !errors.Is(err, broken) {
		t.Error(err)
	}
	if err := add("line 1\n"); err != nil {
		t.Error(err)
	}
	if after, err := os.Stat(path); err != nil || !os.SameFile(before, after) {
		t.Errorf("the index was written again: %v", err)
	}
}

func TestSecretKey(t *testing.T) {
	s := openStore(t)
	looked, err := s.LookSecretKey()
	if err != nil || len(looked) != 32 {
		t.Fatal(looked, err)
	}
	if _, err := os.Stat(s.Dir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a look makes something: %v", err)
	}
	key, err := s.SecretKey()
	if err != nil || bytes.Equal(key, looked) {
		t.Fatal(key, err)
	}
	for _, get := range []func() ([]byte, error){s.SecretKey, s.LookSecretKey} {
		if again, err := get(); err != nil || !bytes.Equal(again, key) {
			t.Errorf("%x, and then %x: %v", key, again, err)
		}
	}
}
