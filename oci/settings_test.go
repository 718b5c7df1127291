package oci

import (
	"reflect"
	"testing"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

func text(s string) *string { return &s }

func TestMerge(t *testing.T) {
	t.Parallel()
	parent := func() v1.ImageConfig {
		return v1.ImageConfig{
			User: "u", Env: []string{"Z=1", "broken", "A=2", "Z=3"}, Entrypoint: []string{"/e"}, Cmd: []string{"c"}, WorkingDir: "/w",
			Labels: map[string]string{"l": "1"}, ExposedPorts: map[string]struct{}{"1/tcp": {}}, Volumes: map[string]struct{}{"/v": {}}, StopSignal: "SIGTERM",
		}
	}
	tests := map[string]struct {
		settings Settings
		want     func(*v1.ImageConfig)
	}{
		"nothing": {Settings{}, func(*v1.ImageConfig) {}},
		"env": {Settings{Env: map[string]string{"B": "9", "A": "8", "AA": "=7"}}, func(c *v1.ImageConfig) {
			c.Env = []string{"Z=3", "A=8", "AA==7", "B=9"}
		}},
		"entrypoint drops cmd":   {Settings{Entrypoint: []string{"/i"}}, func(c *v1.ImageConfig) { c.Entrypoint, c.Cmd = []string{"/i"}, nil }},
		"entrypoint and cmd":     {Settings{Entrypoint: []string{"/i"}, Cmd: []string{"x"}}, func(c *v1.ImageConfig) { c.Entrypoint, c.Cmd = []string{"/i"}, []string{"x"} }},
		"cmd keeps entrypoint":   {Settings{Cmd: []string{"x"}}, func(c *v1.ImageConfig) { c.Cmd = []string{"x"} }},
		"empty cmd":              {Settings{Cmd: []string{}}, func(c *v1.ImageConfig) { c.Cmd = []string{} }},
		"user":                   {Settings{User: text("")}, func(c *v1.ImageConfig) { c.User = "" }},
		"workdir":                {Settings{WorkingDir: text("/x")}, func(c *v1.ImageConfig) { c.WorkingDir = "/x" }},
		"signal":                 {Settings{StopSignal: text("SIGRTMIN+3")}, func(c *v1.ImageConfig) { c.StopSignal = "SIGRTMIN+3" }},
		"labels":                 {Settings{Labels: map[string]string{"l": "2", "m": ""}}, func(c *v1.ImageConfig) { c.Labels = map[string]string{"l": "2", "m": ""} }},
		"ports with and without": {Settings{Ports: []string{"22", "22/tcp", "53/udp", "1"}}, func(c *v1.ImageConfig) { c.ExposedPorts = map[string]struct{}{"1/tcp": {}, "22/tcp": {}, "53/udp": {}} }},
		"no ports":               {Settings{Ports: []string{}}, func(c *v1.ImageConfig) { c.ExposedPorts = nil }},
		"volumes":                {Settings{Volumes: []string{"/x/../y/"}}, func(c *v1.ImageConfig) { c.Volumes = map[string]struct{}{"/y": {}} }},
	}
	for name, tt := range tests {
		want := parent()
		want.Env = []string{"Z=3", "A=2"}
		tt.want(&want)
		p := parent()
		got, err := Merge(p, tt.settings)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, want %+v", name, got, want)
		}
		put(&got.Labels, "new", "x")
		put(&got.ExposedPorts, "new", struct{}{})
		put(&got.Volumes, "new", struct{}{})
		if len(got.Cmd) > 0 {
			got.Cmd[0] = "changed"
		}
		if !reflect.DeepEqual(p, parent()) {
			t.Errorf("%s: the parent was changed: %+v", name, p)
		}
	}
}

func TestMergeRefuses(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]Settings{
		"env name":      {Env: map[string]string{"A=B": ""}},
		"env no name":   {Env: map[string]string{"": ""}},
		"env nul":       {Env: map[string]string{"A": "\x00"}},
		"label no name": {Labels: map[string]string{"": "x"}},
		"port":          {Ports: []string{"ssh"}},
		"port protocol": {Ports: []string{"22/tpc"}},
		"volume":        {Volumes: []string{"v"}},
		"workdir":       {WorkingDir: text("w")},
		"signal":        {StopSignal: text("TERMINATE NOW")},
	} {
		if got, err := Merge(v1.ImageConfig{}, s); err == nil {
			t.Errorf("%s: got %+v", name, got)
		}
	}
}

func TestMergeOfNothingIsNothing(t *testing.T) {
	t.Parallel()
	got, err := Merge(v1.ImageConfig{}, Settings{})
	if err != nil || !reflect.DeepEqual(got, v1.ImageConfig{}) {
		t.Errorf("%+v, %v", got, err)
	}
}
