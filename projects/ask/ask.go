// Package ask asks somebody for what a build needs to know: which question comes when, how it is put, whether an answer
// will do, and when it has to be given twice.
//
//	[]Question ── All ──> prompt ──> Reader (a terminal, a form, a test)
//	                 <── text ────┘
//	                 └─ does it do? the same again? ──> []Answer
//
// It knows no terminal, no project and no configuration: what an answer must be, the question says.
package ask

import (
	"context"
	"fmt"
	"strings"
)

// Question is one thing that has to be known. The zero value of what is not named here asks for any text.
type Question struct {
	Project   string   // what the answer is for, in words that come back with it
	Name      string   // of what is asked for
	Prompt    string   // what to show; default: Name
	Choices   []string // worth showing; that an answer is one of them is for Check
	Many      bool     // several answers in one, separated by commas
	Secret    bool     // not to be seen while it is typed
	Confirm   bool     // to be typed twice
	Platforms []string // which the answer is for, where it is not for all

	// Check says why an answer will not do, in words for who gave it; nil: any answer will. The error must not repeat
	// a secret.
	Check func(text string) error
}

// Answer is what somebody said.
type Answer struct {
	Project, Name string
	Text          string
}

// line is the question in one line, without what comes behind it on a terminal.
func (q Question) line() string {
	var b strings.Builder
	b.WriteString(q.Prompt)
	if q.Prompt == "" {
		b.WriteString(q.Name)
	}
	if len(q.Choices) > 0 {
		b.WriteString(" (" + strings.Join(q.Choices, ", ") + ")")
	}
	if q.Many {
		b.WriteString(", separated by commas")
	}
	return b.String() + " [" + strings.Join(append([]string{q.Project}, q.Platforms...), ", ") + "]"
}

// Reader shows lines and reads an answer to the last of them, without its end of line. hidden: it must not be seen while it
// is typed. An error ends the asking.
type Reader func(ctx context.Context, prompt string, hidden bool) (string, error)

// All asks the questions in order, each until an answer will do. What was wrong with the last one stands in the prompt,
// on a line before the question. The error is the reader's.
func All(ctx context.Context, questions []Question, read Reader) ([]Answer, error) {
	answers := make([]Answer, 0, len(questions))
	for _, q := range questions {
		text, err := q.ask(ctx, read)
		if err != nil {
			return nil, fmt.Errorf("ask for value %s: %w", q.Name, err)
		}
		answers = append(answers, Answer{Project: q.Project, Name: q.Name, Text: text})
	}
	return answers, nil
}

func (q Question) ask(ctx context.Context, read Reader) (string, error) {
	wrong := ""
	for {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		text, err := read(ctx, wrong+q.line()+": ", q.Secret)
		if err != nil {
			return "", err
		}
		if q.Check != nil {
			if err := q.Check(text); err != nil {
				wrong = err.Error() + "\n"
				continue
			}
		}
		if !q.Confirm {
			return text, nil
		}
		again, err := read(ctx, "again: ", q.Secret)
		if err != nil || again == text {
			return again, err
		}
		wrong = "the two answers differ\n"
	}
}
