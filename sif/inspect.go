package sif

import (
	"encoding/json"
	"fmt"
)

// Metadata is the object inspect-metadata.json, what `apptainer inspect` shows.
type inspectMetadata struct {
	Data struct {
		Attributes inspectAttributes `json:"attributes"`
	} `json:"data"`
	Type string `json:"type"` // "container"
}

// Attributes are the parts of [Metadata]. Scripts are whole files.
type inspectAttributes struct {
	Apps        map[string]*inspectAttributes `json:"apps,omitempty"`
	Environment map[string]string             `json:"environment,omitempty"` // by path: /.singularity.d/env/10-docker2singularity.sh
	Labels      map[string]string             `json:"labels,omitempty"`
	Runscript   string                        `json:"runscript,omitempty"`
	Test        string                        `json:"test,omitempty"`
	Helpfile    string                        `json:"helpfile,omitempty"`
	Deffile     string                        `json:"deffile,omitempty"`
	Startscript string                        `json:"startscript,omitempty"`
}

func inspectJSON(img Image) ([]byte, error) {
	m := newMetadata(img)
	var out inspectMetadata
	out.Type = "container"
	out.Data.Attributes = inspectAttributes{
		Environment: map[string]string{},
		Labels:      m.labels,
		Runscript:   m.runscript,
		Test:        m.test,
		Helpfile:    m.help,
		Deffile:     m.definition,
		Startscript: m.startscript,
	}
	for _, f := range m.env {
		out.Data.Attributes.Environment["/"+f.name] = f.data
	}
	b, err := json.Marshal(out)
	if err != nil {
		return nil, fmt.Errorf("encode inspect metadata: %w", err)
	}
	return b, nil
}
