package oci

import (
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// Settings are what a project says about how its image is run. The zero value changes nothing: nil means
// "as the parent has it", an empty list or text means "none".
type Settings struct {
	// Entrypoint replaces the parent's, and drops the parent's Cmd unless Cmd is set too: those were the
	// arguments of another program.
	Entrypoint []string
	Cmd        []string

	User       *string // "" is root
	WorkingDir *string // absolute, or ""
	StopSignal *string // SIGTERM, SIGRTMIN+3, 15, or ""

	Env     map[string]string // added to the parent's; the same name replaces the value
	Labels  map[string]string // added to the parent's; the same name replaces the value
	Ports   []string          // in place of the parent's: PORT, PORT/tcp, FROM-TO/udp
	Volumes []string          // in place of the parent's: absolute paths
}

var (
	portPattern   = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9]{1,5}(-[0-9]{1,5})?(/(tcp|udp|sctp))?$`) })
	signalPattern = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^([0-9]{1,2}|SIG[A-Z0-9]+([+-][0-9]{1,2})?)$`) })
)

// Merge puts s onto a parent's config. Neither is changed and the result shares no list or map with them. The
// environment keeps the parent's order; new names follow, sorted. (image-spec, config.md, "config")
func Merge(parent v1.ImageConfig, s Settings) (v1.ImageConfig, error) {
	c := parent
	c.Entrypoint = slices.Clone(parent.Entrypoint)
	c.Cmd = slices.Clone(parent.Cmd)
	if s.Entrypoint != nil {
		c.Entrypoint = slices.Clone(s.Entrypoint)
		c.Cmd = nil
	}
	if s.Cmd != nil {
		c.Cmd = slices.Clone(s.Cmd)
	}
	if s.User != nil {
		c.User = *s.User
	}
	if s.WorkingDir != nil {
		c.WorkingDir = *s.WorkingDir
		if c.WorkingDir != "" && !path.IsAbs(c.WorkingDir) {
			return v1.ImageConfig{}, fmt.Errorf("image setting workdir %q: not an absolute path", c.WorkingDir)
		}
	}
	if s.StopSignal != nil {
		c.StopSignal = *s.StopSignal
		if c.StopSignal != "" && !signalPattern().MatchString(c.StopSignal) {
			return v1.ImageConfig{}, fmt.Errorf("image setting stop signal %q: want a number or a name like SIGTERM", c.StopSignal)
		}
	}
	var err error
	if c.Env, err = mergeEnv(parent.Env, s.Env); err != nil {
		return v1.ImageConfig{}, err
	}
	c.Labels = maps.Clone(parent.Labels)
	for name, value := range s.Labels {
		if name == "" {
			return v1.ImageConfig{}, fmt.Errorf("image setting label %q=%q: no name", name, value)
		}
		put(&c.Labels, name, value)
	}
	c.ExposedPorts = maps.Clone(parent.ExposedPorts)
	if s.Ports != nil {
		c.ExposedPorts = nil
	}
	for _, p := range s.Ports {
		if !portPattern().MatchString(p) {
			return v1.ImageConfig{}, fmt.Errorf("image setting port %q: want PORT, PORT/tcp or PORT/udp", p)
		}
		if !strings.Contains(p, "/") {
			p += "/tcp" // the specification's default, written out so that 22 and 22/tcp are one port
		}
		put(&c.ExposedPorts, p, struct{}{})
	}
	c.Volumes = maps.Clone(parent.Volumes)
	if s.Volumes != nil {
		c.Volumes = nil
	}
	for _, v := range s.Volumes {
		if !path.IsAbs(v) {
			return v1.ImageConfig{}, fmt.Errorf("image setting volume %q: not an absolute path", v)
		}
		put(&c.Volumes, path.Clean(v), struct{}{})
	}
	return c, nil
}

// mergeEnv adds variables to an environment of NAME=VALUE entries: names that are there keep their place and
// get the new value, the others follow in the order of their names. Where a name stands twice in env, its last
// value counts and its first place. Names must not be empty and hold no "=", neither side a NUL byte.
func mergeEnv(env []string, add map[string]string) ([]string, error) {
	var order []string
	values := make(map[string]string, len(env)+len(add))
	set := func(name, value string) {
		if _, ok := values[name]; !ok {
			order = append(order, name)
		}
		values[name] = value
	}
	for _, e := range env {
		name, value, ok := strings.Cut(e, "=")
		if !ok || name == "" {
			continue // an imported image may hold such an entry; no process could see it as a variable
		}
		set(name, value)
	}
	for _, name := range slices.Sorted(maps.Keys(add)) {
		value := add[name]
		if name == "" || strings.ContainsAny(name, "=\x00") || strings.Contains(value, "\x00") {
			return nil, fmt.Errorf("image setting env %q=%q: illegal name or value", name, value)
		}
		set(name, value)
	}
	out := make([]string, 0, len(order))
	for _, name := range order {
		out = append(out, name+"="+values[name])
	}
	if len(out) == 0 {
		return nil, nil
	}
	return out, nil
}

// put sets a key of a map that may be nil.
func put[V any](m *map[string]V, key string, value V) {
	if *m == nil {
		*m = map[string]V{}
	}
	(*m)[key] = value
}
