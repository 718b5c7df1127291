package projects

import (
	"sort"
)

// imageConfig is `image` before templates are rendered. nil means: the key does not stand.
type imageConfig struct {
	entrypoint, cmd           []*tmplText
	env, labels               []envEntry
	ports, volumes            []string
	user, workdir, stopSignal *string
}

// ImageSettings is what a project says about running its image. nil fields say nothing: what the image it
// builds on has stays as it is.
type ImageSettings struct {
	Entrypoint, Cmd           []string // nil: not set; empty: set to nothing
	Env, Labels               map[string]string
	Ports                     []string // "22/tcp"
	Volumes                   []string
	User, WorkDir, StopSignal *string
}

func sortedKeys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}
