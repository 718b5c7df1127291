package projects

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"gopkg.in/yaml.v3"

	"xtoo/projects/schema"
)

func compiledSchema(t testing.TB) *jsonschema.Schema {
	t.Helper()
	text, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	if err := c.AddResource(schemaID, doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile(schemaID)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var errNotJSON = errors.New("has no equal in JSON")

// jsonOf is what an editor's YAML reader (YAML 1.2) hands to a schema checker.
func jsonOf(n *yaml.Node, budget *int) (any, error) {
	if *budget--; *budget < 0 {
		return nil, errNotJSON
	}
	switch n.Kind {
	case yaml.DocumentNode:
		return jsonOf(n.Content[0], budget)
	case yaml.AliasNode:
		return jsonOf(n.Alias, budget)
	case yaml.SequenceNode:
		out := []any{}
		for _, c := range n.Content {
			v, err := jsonOf(c, budget)
			if err != nil {
				return nil, err
			}
			out = append(out, v)
		}
		return out, nil
	case yaml.MappingNode:
		out := map[string]any{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i]
			if key.Kind == yaml.AliasNode {
				key = key.Alias
			}
			v, err := jsonOf(n.Content[i+1], budget)
			if err != nil {
				return nil, err
			}
			out[key.Value] = v
		}
		return out, nil
	}
	switch n.ShortTag() {
	case "!!null":
		return nil, nil
	case "!!bool":
		return strings.EqualFold(n.Value, "true"), nil
	case "!!int", "!!float":
		var f float64
		if err := n.Decode(&f); err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
			return nil, errNotJSON
		}
		return f, nil
	}
	return n.Value, nil
}

// schemaSays validates a configuration's text against the schema.
func schemaSays(s *jsonschema.Schema, config string) error {
	var n yaml.Node
	if err := yaml.Unmarshal([]byte(config), &n); err != nil {
		return err
	}
	if n.Kind == 0 {
		return s.Validate(nil)
	}
	budget := 10_000
	v, err := jsonOf(&n, &budget)
	if err != nil {
		return err
	}
	return s.Validate(v)
}

// decoderSays decodes a configuration without the rules beyond its own shape.
func decoderSays(config string) error {
	probs := &schema.Problems{}
	configDocument().Read("x", []byte(config), probs)
	return probs.Err()
}

// TestSchemaAgrees: the schema and the decoder say the same of what either can know.
func TestSchemaAgrees(t *testing.T) {
	s := compiledSchema(t)
	for _, good := range []string{
		"", "# nothing\n", "{}", designExample,
		"type: a", "stage3: a.tar", "stage3: {file: a}", "stage3: {file: a, arch: amd64, subarch: x}",
		"from: scratch", "from: oci:a:b", "from: oci-archive:a", "from: docker-archive:a.tar:b/c:d", "from: {image: scratch, arch: arm64}",
		"stage3: [a, {file: b, arch: arm64}]", "stage3: [a]", "from: [scratch, {image: 'oci:a:b', arch: arm64}]",
		"values: {a: {arch: {}}, b: {default: x, arch: {arm64: 1, arm-64bit/raspi4: [a], '386': true, i686: ''}}}",
		"exclude: []", "exclude: [/a*, /b]",
		"values: {}", "values: {a: }", "values: {a: x, b: 1, c: true, d: 1.5, e: [x, 1, true, 1.5], f: '', g: 2022-06-16, h: 0x1F}",
		"values: {a: {}, b: {default: []}, c: {default: 1, type: int, choices: [1, 2]}, d: {prompt: x, many: true, secret: false, confirm: True}}",
		"env: {A: x, B_1: 2, C: 1.5, D: true, E: ''}",
		"checks: []", "checks: [{name: a, run: x, values: [], files: [d], env: {A: b}, network: none, timeout: 1m, user: ''}, {name: b, script: s.sh, user: 'a:b'}]",
		"volumes: [{source: ~/x, target: /x, readonly: true}, {source: ., target: /y}]",
		"network: none", "scripts: []",
		"scripts: [{name: a, run: x, values: [a], files: [b], env: {A: b}, volumes: [], network: host, scripts: [{name: 1, script: b}]}]",
		"scripts: [{name: a, step: hostname, with: {name: box, hosts: false}, values: [], network: host}]",
		"image: {}", "image: {entrypoint: [], cmd: [a, 1, true], env: {A: 1}, labels: {a.b/c: 1}, ports: [22, 22/udp], user: 0, workdir: /, volumes: [/a], stop_signal: 9}",
		"outputs: {}", "outputs: {sif: a.sif}",
		"image: {env: &e {A: b}}\nenv: *e",
	} {
		if err := decoderSays(good); err != nil {
			t.Errorf("the decoder refuses %q: %v", good, err)
		}
		if err := schemaSays(s, good); err != nil {
			t.Errorf("the schema refuses %q: %v", good, err)
		}
	}
	for _, bad := range []string{
		"[]", "a", "3", "true", "foo: 1", "type: ", "type: 3", "type: A", "type: [a]",
		"stage3: ", "stage3: ''", "stage3: 3", "stage3: []", "stage3: [[a]]", "stage3: ['']", "stage3: [3]", "stage3: [{arch: arm64}]", "from: []", "from: [a]", "from: [{arch: arm64}]",
		"values: {a: {arch: x}}", "values: {a: {arch: [x]}}", "values: {a: {arch: {arm64: ~}}}", "values: {a: {arch: {arm64: {}}}}", "values: {a: {arch: {'': x}}}",
		"stage3: {}", "stage3: {file: ''}", "stage3: {file: 3}", "stage3: {file: a, url: b}", "stage3: {file: a, arch: }",
		"{stage3: a, from: scratch}", "from: ''", "from: docker://a", "from: oci:a", "from: {arch: amd64}", "from: {image: foo}",
		"exclude: /a", "exclude: [a]", "exclude: [3]", "exclude: [[/a]]",
		"values: []", "values: {A: x}", "values: {a-b: x}", "values: {a: {b: c}}", "values: {a: [[x]]}", "values: {a: [{}]}", "values: {a: [~]}",
		"values: {a: {default: ~}}", "values: {a: {default: {}}}", "values: {a: {type: float}}", "values: {a: {choices: []}}", "values: {a: {choices: x}}",
		"values: {a: {many: 1}}", "values: {a: {many: 'true'}}", "values: {a: {prompt: ''}}", "values: {a: {prompt: [a]}}",
		"env: []", "env: {1A: x}", "env: {A: }", "env: {A: []}",
		"volumes: {}", "volumes: [a]", "volumes: [{}]", "volumes: [{source: a}]", "volumes: [{source: a, target: b}]", "volumes: [{source: '', target: /b}]", "volumes: [{source: a, target: /b, mode: rw}]",
		"network: ", "network: bridge", "network: true",
		"scripts: ", "scripts: {}", "scripts: [a]", "scripts: [{}]", "scripts: [{name: a}]", "scripts: [{run: a}]", "scripts: [{name: a, run: b, script: c}]",
		"scripts: [{name: a/b, run: c}]", "scripts: [{name: '', run: c}]", "scripts: [{name: a, run: 3}]", "scripts: [{name: a, run: ''}]", "scripts: [{name: a, script: [b]}]",
		"scripts: [{name: a, run: b, scripts: [{name: c}]}]", "scripts: [{name: a, run: b, values: [A]}]", "scripts: [{name: a, run: b, values: c}]",
		"scripts: [{name: a, run: b, files: ['']}]", "scripts: [{name: a, run: b, network: all}]", "scripts: [{name: a, step: b, run: c}]", "scripts: [{name: a, step: hostname, with: [name]}]", "scripts: [{name: a, run: b, image: {}}]",
		"image: []", "image: {entrypoint: /sbin/init}", "image: {cmd: [[a]]}", "image: {ports: [ssh]}", "image: {ports: [22/icmp]}", "image: {workdir: a}", "image: {volumes: [a]}",
		"image: {labels: {'a b': c}}", "image: {labels: {a: [b]}}", "image: {stop_signal: TERM}", "image: {user: [a]}", "image: {env: {A: {}}}", "image: {foo: 1}",
		"outputs: a", "outputs: {sif: ''}", "outputs: {sif: 3}", "outputs: {oci: a}",
	} {
		if err := decoderSays(bad); err == nil {
			t.Errorf("the decoder accepts %q", bad)
		}
		if err := schemaSays(s, bad); err == nil {
			t.Errorf("the schema accepts %q", bad)
		}
	}
}

// TestTable: every key is described, every example and default is right by the schema's own account.
func TestTable(t *testing.T) {
	s := compiledSchema(t)
	one, err1 := Schema()
	two, err2 := Schema()
	if err1 != nil || err2 != nil || !bytes.Equal(one, two) {
		t.Error("the schema is not the same twice", err1, err2)
	}
	keys := Keys()
	for _, k := range keys {
		if k.Doc == "" || !strings.HasSuffix(k.Doc, ".") || k.Type == "" {
			t.Errorf("%s is not described: %+v", k.Path, k)
		}
		if k.Example == "" {
			continue
		}
		var n yaml.Node
		if err := yaml.Unmarshal([]byte(k.Example), &n); err != nil {
			t.Errorf("example of %s: %v", k.Path, err)
		}
	}
	if len(keys) < 45 {
		t.Errorf("%d keys: some are not in the table", len(keys))
	}
	var walk func(s *jsonschema.Schema)
	seen := map[*jsonschema.Schema]bool{}
	walk = func(s *jsonschema.Schema) {
		if s == nil || seen[s] {
			return
		}
		seen[s] = true
		walk(s.Ref)
		if items, ok := s.Items2020, s.Items2020 != nil; ok {
			walk(items)
		}
		if more, ok := s.AdditionalProperties.(*jsonschema.Schema); ok {
			walk(more)
		}
		for name, p := range s.Properties {
			for _, e := range p.Examples {
				if err := p.Validate(e); err != nil {
					t.Errorf("example of %s: %v", name, err)
				}
			}
			if p.Default != nil {
				if err := p.Validate(*p.Default); err != nil {
					t.Errorf("default of %s: %v", name, err)
				}
			}
			walk(p)
		}
	}
	walk(s)
	if len(seen) < 60 {
		t.Errorf("only %d schemas were reached", len(seen))
	}
}

// inMemory does with one configuration what Load does with those on disk.
func inMemory(config string) (*Tree, error) {
	l := newLoader(&origin{fsys: disk("/nonexistent"), name: "/nonexistent", dir: "/nonexistent", disk: true}, nil)
	l.found = []string{"p"}
	r := readConfig{data: []byte(config)}
	r.value, r.ok = l.document.Read("/nonexistent/p/"+configName, r.data, &r.probs)
	l.project("p", r)
	t := l.tree()
	l.check(t)
	return t, l.probs.Err()
}

// FuzzLoad: no text makes reading panic or hang; what the decoder accepts the schema accepts too, and
// written again as YAML it is accepted again.
func FuzzLoad(f *testing.F) {
	for _, seed := range []string{
		designExample, "", "a: [1", "from: scratch\nscripts: [{name: a, run: \"{{ .values.x }}\"}]\nvalues: {x: {default: \"{{ .values.x }}\"}}",
		"scripts: &a [{name: x, run: y, scripts: *a}]", "values: {a: &x [1, 2], b: *x, c: !!str 3}", "? a\n: b\n", "<<: {type: a}", "type: \"\\0\"",
		"values: {a: .nan, b: 1e999, c: 0o17, d: 0b1, e: 1_000, f: 18446744073709551616, g: ~, h: 0x_}",
		"image: {ports: [22, '22/tcp', 1e1]}", "a: &a [*a, *a]\nscripts: *a", "--- \ntype: a\n...\n", "%YAML 1.1\n---\ntype: a", "scripts: [{name: a, script: /dev/zero}]",
		"scripts: [{name: a, run: '{{ with .project }}{{ .name }}{{ end }}{{ range $i, $x := .values.l }}{{ $x }}{{ else }}{{ end }}'}]",
	} {
		f.Add(seed)
	}
	for _, seed := range []string{
		"from: [{image: scratch, arch: arm64}, {image: scratch, arch: 386}]\nvalues: {a: {default: x, arch: {raspi4: &y [y], linux/arm/v7: '{{ .arch }}', '386': *y}}, b: {secret: true, arch: {arm: '{{ .values.a }}'}}}\nscripts: [{name: a, run: 'echo {{ .subarch }}'}]\noutputs: {sif: x.sif}",
		"stage3: [a, {file: b, arch: raspi4}, {file: c, arch: raspi3_64}, {file: d, arch: amd64/v1}]\nvalues: {a: {arch: {arm64: '{{ .values.a }}', aarch64: 1}}}",
	} {
		f.Add(seed)
	}
	schema := compiledSchema(f)
	f.Fuzz(func(t *testing.T, config string) {
		tree, err := inMemory(config)
		if err == nil {
			if plan, err := tree.Resolve(tree.projects, Given{}); err == nil {
				for _, n := range plan.Projects[0].Nodes {
					_ = n.Environ()
					if _, err := n.Inputs(t.Context(), nil); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		if decoderSays(config) != nil {
			return
		}
		err = schemaSays(schema, config)
		if err != nil && !errors.Is(err, errNotJSON) {
			t.Fatalf("the decoder accepts, the schema refuses: %v", err)
		}
		var n yaml.Node
		if err := yaml.Unmarshal([]byte(config), &n); err != nil || n.Kind == 0 {
			return
		}
		again, err := yaml.Marshal(&n)
		if err != nil {
			return // aliases that hold themselves
		}
		if err := decoderSays(string(again)); err != nil {
			t.Fatalf("written again it is refused: %v\n%s", err, again)
		}
	})
}
