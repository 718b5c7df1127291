package projects

import (
	"fmt"
	"io"
	"os"
	"strings"

	"xtoo/projects/schema"
)

// Where --secret finds a secret.
const (
	secretInFile = "file:"
	secretInEnv  = "env:"
)

// secretSource adds what [Given.Secrets] says.
func (t *Tree) secretSource(s source, args []string, env map[string]string, probs *schema.Problems) {
	for _, arg := range args {
		left, from, ok := strings.Cut(arg, "=")
		inFile, inEnv := strings.HasPrefix(from, secretInFile), strings.HasPrefix(from, secretInEnv)
		if !ok || left == "" || !inFile && !inEnv {
			// The argument is not repeated: it may be the secret itself.
			probs.Hintf(schema.Position{}, "as in --secret password=file:PATH or --secret password=env:VARIABLE",
				"--secret needs NAME=file:PATH or NAME=env:VARIABLE")
			continue
		}
		if lefts := t.SecretsIn([]string{arg}); len(lefts) == 0 && t.known(left) {
			probs.Hintf(schema.Position{}, "give it with --set, or declare it with \"secret: true\"", "--secret %s: no value of this name is secret", left)
			continue
		}
		text, err := readSecret(from, env)
		if err != nil {
			probs.Add(schema.Problem{Msg: fmt.Sprintf("--secret %s: %v", left, err), Err: err})
			continue
		}
		t.putLeft(s, "--secret ", left, givenValue{text: text, cli: true, secret: true}, probs)
	}
}

// known reports whether there is a value for NAME or TAG:NAME.
func (t *Tree) known(left string) bool {
	tag, name, specific := strings.Cut(left, ":")
	if !specific {
		tag, name = "", left
	}
	return t.knows(schema.Position{}, "", strings.TrimRight(tag, "/"), name, &schema.Problems{})
}

// readSecret reads a secret from a file, which may be a pipe, or from a variable.
func readSecret(from string, env map[string]string) (string, error) {
	if name, ok := strings.CutPrefix(from, secretInEnv); ok {
		text, set := env[name]
		if !set {
			return "", fmt.Errorf("there is no environment variable %q", name)
		}
		return text, nil
	}
	path := strings.TrimPrefix(from, secretInFile)
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close() // read only: nothing can be lost
	data, err := io.ReadAll(io.LimitReader(f, maxValue+1))
	if err != nil {
		return "", err
	}
	if len(data) > maxValue {
		return "", fmt.Errorf("%s has more than the %d bytes that a secret may have", path, maxValue)
	}
	text := strings.TrimSuffix(string(data), "\n")
	return strings.TrimSuffix(text, "\r"), nil
}

// secretVariables are those that hold secrets: [Given.Secrets] names them, or the default of a secret reads them.
func (t *Tree) secretVariables(args []string) map[string]bool {
	out := map[string]bool{}
	for _, arg := range args {
		_, from, _ := strings.Cut(arg, "=")
		if name, ok := strings.CutPrefix(from, secretInEnv); ok {
			out[name] = true
		}
	}
	for _, p := range t.projects {
		for _, c := range p.values {
			if !isSet(c.secret) {
				continue
			}
			for _, def := range c.defaults() {
				for _, text := range def.texts() {
					for _, name := range text.env {
						out[name] = true
					}
				}
			}
		}
	}
	return out
}
