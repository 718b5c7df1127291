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
	s := &script{answers: []string{"box", "2, vim", "one", "two", "three", "three", "", "no", "yes", "3"}}
	got, err := All(context.Background(), []Question{
		{Project: "a", Name: "hostname", Help: "Shown at the login.\nShort."},
		{Project: "a/b", Name: "sure", Prompt: "Are you sure", Check: yes},
		{Project: "a", Name: "programs", Choices: []string{"vim", "git"}, Many: true, Platforms: []string{"arm-64bit/raspi4"}},
		{Project: "a", Name: "pw", Prompt: "Root password", Secret: true, Confirm: true, Want: "at least 3 characters"},
		{Project: "a", Name: "shell", Default: "/bin/sh"},
		{Project: "a/b", Name: "disks", Choices: []string{"3", "one", "two"}},
	}, s.read)
	if err != nil {
		t.Fatal(err)
	}
	if have := fmt.Sprint(got); have != "[{a hostname box [] false} {a programs git,vim [arm-64bit/raspi4] false} {a pw three [] false} {a shell  [] true} {a/b sure yes [] false} {a/b disks 3 [] false}]" {
		t.Errorf("answers %s", have)
	}
	want := []string{
		"Project a:\n\n  hostname\n    Shown at the login.\n    Short.\n  hostname: ",
		"\n  programs for arm-64bit/raspi4\n    1 vim\n    2 git\n  programs for arm-64bit/raspi4 (numbers or names, separated by commas): ",
		"\n  Root password (at least 3 characters; not shown): (hidden)", "  The same again: (hidden)",
		"  Not taken: the two answers differ\n  Root password (at least 3 characters; not shown): (hidden)", "  The same again: (hidden)",
		"\n  shell [/bin/sh]: ",
		"\nProject a/b:\n\n  Are you sure: ", "  Not taken: it must be yes, found \"no\"\n  Are you sure: ",
		"\n  disks\n    1 3\n    2 one\n    3 two\n  disks (number or name): ",
	}
	for i := range max(len(want), len(s.asked)) {
		if i >= len(want) || i >= len(s.asked) || s.asked[i] != want[i] {
			t.Fatalf("asked %q\nwant  %q", s.asked, want)
		}
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
