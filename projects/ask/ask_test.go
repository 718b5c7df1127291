package ask

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

// script answers with what it has, one after the other, and keeps what it was asked.
type script struct {
	answers []string
	asked   []string
}

func (s *script) read(_ context.Context, prompt string, hidden bool) (string, error) {
	if hidden {
		prompt += "(hidden)"
	}
	s.asked = append(s.asked, prompt)
	if len(s.answers) == 0 {
		return "", io.EOF
	}
	text := s.answers[0]
	s.answers = s.answers[1:]
	return text, nil
}

func TestAll(t *testing.T) {
	yes := func(text string) error {
		if text != "yes" {
			return fmt.Errorf("it must be yes, found %q", text)
		}
		return nil
	}
	s := &script{answers: []string{"box", "no", "yes", "vim,git", "one", "two", "three", "three"}}
	got, err := All(context.Background(), []Question{
		{Project: "a", Name: "hostname"},
		{Project: "a/b", Name: "sure", Prompt: "Are you sure", Check: yes},
		{Project: "a", Name: "programs", Choices: []string{"vim", "git"}, Many: true, Platforms: []string{"arm-64bit/raspi4"}},
		{Project: "a", Name: "pw", Prompt: "Root password", Secret: true, Confirm: true},
	}, s.read)
	if err != nil {
		t.Fatal(err)
	}
	if have := fmt.Sprint(got); have != "[{a hostname box} {a/b sure yes} {a programs vim,git} {a pw three}]" {
		t.Errorf("answers %s", have)
	}
	want := []string{
		"hostname [a]: ", "Are you sure [a/b]: ", "it must be yes, found \"no\"\nAre you sure [a/b]: ",
		"programs (vim, git), separated by commas [a, arm-64bit/raspi4]: ",
		"Root password [a]: (hidden)", "again: (hidden)", "the two answers differ\nRoot password [a]: (hidden)", "again: (hidden)",
	}
	if have := strings.Join(s.asked, "|"); have != strings.Join(want, "|") {
		t.Errorf("asked %q\nwant %q", s.asked, want)
	}
}

func TestEnds(t *testing.T) {
	if _, err := All(context.Background(), []Question{{Name: "x"}, {Name: "y", Confirm: true}}, (&script{answers: []string{"1", "2"}}).read); !errors.Is(err, io.EOF) || !strings.Contains(err.Error(), "ask for value y") {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	never := Question{Name: "x", Check: func(string) error { cancel(); return errors.New("no") }}
	if _, err := All(ctx, []Question{never}, func(context.Context, string, bool) (string, error) { return "", nil }); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
