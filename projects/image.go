package projects

import (
	"sort"
	"strings"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"
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

// Apply returns the image configuration of a project whose parent (or base) has the given one: variables
// and labels are merged, everything else replaced where it is set. The argument is not changed.
// See the image-spec, "OCI Image Configuration", "config".
func (s ImageSettings) Apply(base v1.ImageConfig) v1.ImageConfig {
	out := base
	if s.Entrypoint != nil {
		out.Entrypoint = append([]string{}, s.Entrypoint...)
	}
	if s.Cmd != nil {
		out.Cmd = append([]string{}, s.Cmd...)
	}
	out.Env = mergeEnv(base.Env, s.Env)
	if len(s.Labels) > 0 {
		out.Labels = make(map[string]string, len(base.Labels)+len(s.Labels))
		for k, v := range base.Labels {
			out.Labels[k] = v
		}
		for k, v := range s.Labels {
			out.Labels[k] = v
		}
	}
	if s.Ports != nil {
		out.ExposedPorts = set(s.Ports)
	}
	if s.Volumes != nil {
		out.Volumes = set(s.Volumes)
	}
	for _, o := range []struct {
		to   *string
		from *string
	}{{&out.User, s.User}, {&out.WorkingDir, s.WorkDir}, {&out.StopSignal, s.StopSignal}} {
		if o.from != nil {
			*o.to = *o.from
		}
	}
	return out
}

func set(words []string) map[string]struct{} {
	out := make(map[string]struct{}, len(words))
	for _, w := range words {
		out[w] = struct{}{}
	}
	return out
}

// mergeEnv keeps the order of what is there, and adds what is new sorted by name.
func mergeEnv(base []string, more map[string]string) []string {
	if len(more) == 0 {
		return base
	}
	out := make([]string, 0, len(base)+len(more))
	done := map[string]bool{}
	for _, e := range base {
		name, _, _ := strings.Cut(e, "=")
		if v, ok := more[name]; ok {
			if done[name] {
				continue
			}
			e = name + "=" + v
			done[name] = true
		}
		out = append(out, e)
	}
	for _, name := range sortedKeys(more) {
		if !done[name] {
			out = append(out, name+"="+more[name])
		}
	}
	return out
}

func sortedKeys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}
