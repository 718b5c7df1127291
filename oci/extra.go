package oci

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// Extra is what the config of an image from elsewhere says beyond what a project can: it is passed on as it is.
type Extra struct {
	Author     string   `json:"author,omitempty"`
	OSVersion  string   `json:"os_version,omitempty"`
	OSFeatures []string `json:"os_features,omitempty"`
	// Config are the fields of the config's own "config" that the specification does not describe, as compact JSON:
	// Healthcheck, Shell, StopTimeout and the like.
	Config map[string]json.RawMessage `json:"config,omitempty"`
}

// IsZero reports whether there is nothing to pass on.
func (x *Extra) IsZero() bool {
	return x.Author == "" && x.OSVersion == "" && len(x.OSFeatures) == 0 && len(x.Config) == 0
}

// What is known of a config (image-spec, config.md), and of it what would be wrong in an image that builds on another:
// the triggers that a build of Docker's executes, and the image that this one was made from.
var (
	knownOfImage  = []string{"created", "author", "architecture", "os", "os.version", "os.features", "variant", "config", "rootfs", "history"}
	knownOfConfig = []string{"User", "ExposedPorts", "Env", "Entrypoint", "Cmd", "Volumes", "WorkingDir", "Labels", "StopSignal", "ArgsEscaped"}
	notPassedOn   = []string{"OnBuild", "Image"}
)

// parseExtra finds out what a config that [ParseConfig] has taken says beyond it, and names what is not passed on: fields
// beside the "config", which say how the image itself was made, and of that what would be wrong in another image.
// Fields that say nothing (null, an empty text) are neither.
func parseExtra(data []byte, c v1.Image) (Extra, []string, error) {
	x := Extra{Author: c.Author, OSVersion: c.OSVersion, OSFeatures: c.OSFeatures}
	var doc, config map[string]json.RawMessage
	if err := decode(data, "config", &doc); err != nil {
		return x, nil, err
	}
	dropped := unknown(doc, knownOfImage)
	for key, raw := range doc {
		if !strings.EqualFold(key, "config") || !says(raw) {
			continue
		}
		if err := decode(raw, "config", &config); err != nil {
			return x, nil, err
		}
	}
	for _, key := range unknown(config, knownOfConfig) {
		var compact bytes.Buffer
		if slices.Contains(notPassedOn, key) || !utf8.ValidString(key) || !utf8.Valid(config[key]) || json.Compact(&compact, config[key]) != nil {
			dropped = append(dropped, key)
			continue
		}
		if x.Config == nil {
			x.Config = map[string]json.RawMessage{}
		}
		x.Config[key] = compact.Bytes()
	}
	return x, dropped, nil
}

// unknown lists the fields of an object that say something and are not known, sorted.
func unknown(object map[string]json.RawMessage, known []string) []string {
	var out []string
	for _, key := range slices.Sorted(maps.Keys(object)) {
		same := func(k string) bool { return strings.EqualFold(k, key) } // as encoding/json has it
		if says(object[key]) && !slices.ContainsFunc(known, same) {
			out = append(out, key)
		}
	}
	return out
}

// says reports whether a value is another than what a missing one means.
func says(raw json.RawMessage) bool {
	return !slices.Contains([]string{"null", `""`, "false", "0", "[]", "{}"}, string(bytes.TrimSpace(raw)))
}

// An imageDocument is the config of an image with what is passed on from another.
type imageDocument struct {
	v1.Image
	Config configDocument `json:"config"` // in place of the image's own
}

type configDocument struct {
	v1.ImageConfig
	more map[string]json.RawMessage
}

// MarshalJSON puts the other fields behind those of the specification, sorted.
func (c configDocument) MarshalJSON() ([]byte, error) {
	b, err := marshalRaw(c.ImageConfig)
	if err != nil || len(c.more) == 0 {
		return b, err
	}
	more, err := marshalRaw(c.more)
	if err != nil {
		return nil, err
	}
	b = bytes.TrimSuffix(b, []byte("}"))
	if len(b) > 1 {
		b = append(b, ',')
	}
	return append(b, more[1:]...), nil
}

// document returns what is written as the config of an image.
func (x *Extra) document(c v1.Image) any {
	if len(x.Config) == 0 {
		return c
	}
	return imageDocument{Image: c, Config: configDocument{ImageConfig: c.Config, more: x.Config}}
}
