package projects

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"xtoo/projects/schema"
)

// load loads one project "p" with this configuration, and a script s.sh beside it.
func load(t testing.TB, config string) (*Tree, error) {
	t.Helper()
	return loadDir(workdir(t, map[string]string{
		"p/" + configName: config,
		"p/s.sh":          "#!/bin/sh\n",
	}))
}

// problemsOf fails unless err is an *schema.Errors, and gives its problems as text, paths taken off.
func problemsOf(t testing.TB, err error) []string {
	t.Helper()
	var list *schema.Errors
	if !errors.As(err, &list) {
		t.Fatalf("want an *schema.Errors, have %v", err)
	}
	var out []string
	for i, p := range list.List {
		if i > 0 {
			last := list.List[i-1].Pos
			if p.Pos.File == last.File && p.Pos.File != "" && (p.Pos.Line < last.Line || p.Pos.Line == last.Line && p.Pos.Column < last.Column) {
				t.Errorf("not sorted: %v after %v", p.Pos, last)
			}
		}
		text := p.Error()
		if i := strings.Index(text, configName); i >= 0 {
			text = text[i+len(configName):]
		}
		if p.Hint != "" {
			text += " | " + p.Hint
		}
		out = append(out, text)
	}
	return out
}

// TestWrongConfigurations: each has exactly the problems that are named, in order; a problem is named by
// the beginning of its text, or by a part of it after "...".
func TestWrongConfigurations(t *testing.T) {
	t.Setenv("HOME", "/home/somebody")
	const root = "from: scratch\n"
	for _, c := range []struct {
		name, config string
		want         []string
	}{
		{"unknown key", root + "scrips: []\n", []string{`:2:1: unknown key "scrips": did you mean "scripts"?`}},
		{"checks", root + "values: {pw: {secret: true}}\nchecks:\n  - {name: a, run: x, scripts: []}\n  - {name: a, run: y, script: s.sh}\n  - {name: b}\n" +
			"  - {name: c, run: '{{ .values.nope }}', values: [no], volumes: []}\n  - {name: d, script: none.sh}\n  - {name: /, run: '{{ .values.pw }}'}\n", []string{
			`:4:23: unknown key "scripts"`, `:5:12: there is a check "a" beside this one already, in line 4`, `:5:23: item 2 of "checks" has both "run" and "script"`,
			`:6:5: item 3 of "checks" needs "run", "script" or "check"`, `:7:20: template: there is no value "nope"`, `:7:51: there is no value "no"`, `:7:56: unknown key "volumes"`,
			`:8:23: there is no script "none.sh"`, `:9:12: "name"`, `:9:20: template: value "pw" is secret`}},
		{"checks of the library", root + "values: {pw: {secret: true}}\nchecks:\n  - {name: a, check: {servise: sshd}}\n  - {name: b, check: {user: a, group: b}}\n  - {name: c, check: {}}\n" +
			"  - {name: d, check: {user: '{{ .values.pw }}'}}\n  - {name: e, check: {user: []}}\n  - {name: f, check: user, run: x}\n", []string{
			`:4:23: there is no check "servise": did you mean "service"?`, `:5:22: "check" is one check, as {service: sshd} | write an item`, `:6:22: "check" is one check`,
			`:7:29: template: value "pw" is secret`, `:8:29: "user" is an empty list`, `:9:15: item 6 of "checks" has both "run" and "check"`, `:9:22: "check" must be a mapping of one check`}},
		{"unknown key in a node", root + "scripts:\n  - {name: a, rum: x}\n", []string{
			`:3:5: item 1 of "scripts" needs "run", "script" or "step"`, `:3:15: unknown key "rum": did you mean "run"?`}},
		{"nothing near", root + "zzzzzzz: 1\n", []string{`:2:1: unknown key "zzzzzzz" | known here: type, stage3, from,`}},
		{"wrong type", root + "scripts: yes please\n", []string{`:2:10: "scripts" must be a list of scripts, found the text "yes please"`}},
		{"list for text", root + "type: [a]\n", []string{`:2:7: "type" must be a type's name`}},
		{"mapping for list", root + "exclude: {a: b}\n", []string{`:2:10: "exclude" must be a list of absolute paths, with * where needed, found a mapping`}},
		{"text for mapping", root + "image: big\n", []string{`:2:8: "image" must be a mapping (key: value), found the text "big"`}},
		{"number for text", root + "scripts: [{name: a, run: 3}]\n", []string{`:2:26: "run" must be the text of a script, found the number 3`}},
		{"yes is no boolean", root + "volumes: [{source: a, target: /b, readonly: yes}]\n", []string{`:2:45: "readonly" must be true or false, found the text "yes"`}},
		{"null", root + "scripts:\n", []string{`:2:9: "scripts" is empty: it must be a list of scripts`}},
		{"all at once", "type: UP\nnetwork: moon\nfoo: 1\nscripts: [{run: x}]\n", []string{
			`:1:1: the project has no parent and does not say what it starts from`,
			`:1:7: "type": "UP" is not a type's name`,
			`:2:10: "network" must be "host" or "none", found "moon"`,
			`:3:1: unknown key "foo"`,
			`:4:11: item 1 of "scripts" has no "name"`}},
		{"enum near", root + "network: hots\n", []string{`:2:10: "network" must be "host" or "none", found "hots": did you mean "host"?`}},
		{"duplicate key", root + "network: host\nnetwork: none\n", []string{`:3:1: key "network" stands twice: first in line 2`}},
		{"two documents", root + "---\nfrom: scratch\n", []string{`...a second YAML document`, `...`}[:1]},
		{"tag", root + "type: !!str a\n", []string{`:2:7: "type" has a YAML tag`}},
		{"merge key", root + "image: &a {user: x}\noutputs: {<<: *a}\n", []string{`:3:11: merge keys`}},
		{"syntax", "a: [1\nb: 2\n", []string{`...not YAML: `}},
		{"tabs", "from: scratch\nscripts:\n\t- name: a\n", []string{`:3:1: not YAML: found character that cannot start any token | indent with spaces`}},
		{"bad utf-8", "type: \xff\n", []string{`:1:7: not UTF-8: byte 0xff`}},
		{"control character", "type: a\x01\n", []string{`:1:8: control character U+0001`}},
		{"a scalar", "hello\n", []string{`:1:1: the configuration must be a mapping (key: value), found the text "hello"`}},
		{"a list", "[]\n", []string{`:1:1: the configuration must be a mapping`}},
		{"complex key", root + "? [a]\n: b\n", []string{`:2:3: a key of the configuration must be plain text`}},

		{"both bases", "stage3: a.tar\nfrom: scratch\n", []string{`:2:1: the configuration has both "stage3" and "from": at most one of them`}},
		{"url", "stage3: {url: https://x}\n", []string{`:1:10: key "url" is not part of this version of xtoo | download the stage3 and name the file`}},
		{"build", "stage3: {build: next, arch: arm-64bit, version: latest}\n", []string{`:1:10: key "build" is not part`, `:1:40: key "version" is not part`}},
		{"one of several stage3s", "stage3: [{arch: amd64}, {url: x}, 3, [a]]\n", []string{`:1:10: item 1 of "stage3" has no "file"`,
			`:1:26: key "url" is not part of this version of xtoo | download`, `:1:35: item 3 of "stage3" must be a path, or a mapping`, `:1:38: item 4 of "stage3" must be a path, or a mapping (file, arch, subarch), found a list`}},
		{"no stage3", "stage3: []\n", []string{`:1:9: "stage3" is an empty list`}},
		{"several of one platform", "stage3:\n  - {file: a, arch: arm-64bit, subarch: raspi4}\n  - {file: b, arch: amd64}\n  - {file: c, arch: arm-64bit, subarch: raspi3_64}\n", []string{
			`:4:12: arm-64bit/raspi3_64 and arm-64bit/raspi4, in line 2, are both for the platform linux/arm64/v8, and a tag has one image for each platform | make a root directory for each`}},
		{"several unknown", "from: [{image: scratch, arch: arm46}, {image: scratch, arch: arm-64bit, subarch: raspi5}, docker://x]\n", []string{
			`:1:31: unknown architecture "arm46": did you mean "arm" or "arm64"`, `:1:62: unknown architecture: arm-64bit has no subarch "raspi5": did you mean "raspi4"?`, `:1:91: item 3 of "from": "docker://x" is not an image`}},
		{"stage3 without file", "stage3: {arch: amd64}\n", []string{`:1:9: "stage3" has no "file"`}},
		{"unknown arch", "stage3: {file: a, arch: x86-46bit}\n", []string{`:1:25: unknown architecture "x86-46bit": did you mean "x86-64bit"?`}},
		{"unknown subarch", "stage3: {file: a, arch: arm-64bit, subarch: raspi5}\n", []string{`:1:25: unknown architecture: arm-64bit has no subarch "raspi5": did you mean "raspi4"?`}},
		{"bad from", "from: docker://alpine\n", []string{`:1:7: "from": "docker://alpine" is not an image: oci:DIR:REF`}},
		{"oci without ref", "from: oci:dir\n", []string{`:1:7: "from": "oci:dir" is not an image`}},
		{"home of others", "stage3: ~joe/a.tar\n", []string{`:1:9: "~joe/a.tar": the home directories of others`}},
		{"exclude relative", "stage3: a\nexclude: [usr, /a/../b, '/a[', /]\n", []string{
			`:2:11: item 1 of "exclude": "usr" is not an absolute path`, `:2:16: "/a/../b" is not a pattern of paths in the root: ".." between`, `:2:25: "/a[" is not a pattern`, `:2:32: "/" is not a pattern of paths in the root: it would match`}},
		{"exclude without stage3", root + "exclude: [/a]\n", []string{`:2:1: "exclude" needs "stage3"`}},

		{"step", root + "scripts: [{name: a, step: hostnam, with: {name: x}}, {name: b, run: c, with: {}}, {name: d, step: x, run: y}]\n", []string{
			`:2:27: there is no step "hostnam": did you mean "hostname"?`,
			`:2:72: "with" has the parameters of a step, and there is no "step" | scripts of one's own have`,
			`:2:93: item 3 of "scripts" has both "run" and "step"`, `:2:99: there is no step "x"`}},
		{"parameters", root + "scripts: [{name: a, step: hostname, with: {nam: x, hosts: [y]}}, {name: b, step: hostname}, {name: c, step: hostname, with: }]\n", []string{
			`:2:43: "with" of step "hostname" has no "name"`, `:2:44: step "hostname" has no parameter "nam": did you mean "name"?`,
			`:2:59: "hosts" must be true or false, found a list`,
			`:2:82: step "hostname" needs its parameter "name" | write it under "with"`, `:2:125: "with" is empty`}},
		{"arguments", root + "scripts: [{name: a, step: hostname, with: {name: 'a b', hosts: 3}}, {name: b, step: hostname, with: {name: '{{ .values.x }}'}}]\n", []string{
			`:2:50: parameter "name" of step "hostname": "a b" does not match ^`, `:2:64: parameter "hosts" of step "hostname": it must be true or false, found "3"`,
			`:2:108: template: there is no value "x"`}},
		{"run and script", root + "scripts: [{name: a, run: x, script: s.sh}]\n", []string{`:2:29: item 1 of "scripts" has both "run" and "script": exactly one of them`}},
		{"missing script", root + "scripts: [{name: a, script: scripts/no.sh}]\n", []string{`:2:29: there is no script "scripts/no.sh" | looked for /`}},
		{"script is a directory", root + "scripts: [{name: a, script: .}]\n", []string{`:2:29: cannot read the script ".": it is a directory`}},
		{"same names", root + "scripts:\n  - {name: a, run: x}\n  - {name: a, run: y}\n", []string{`:4:12: there is a script "a" beside this one already, in line 3`}},
		{"same names apart", root + "scripts:\n  - {name: a, run: x, scripts: [{name: a, run: y}]}\n", nil},
		{"node names", root + "scripts: [{name: a/b, run: x}, {name: '', run: y}, {name: .., run: z}]\n", []string{
			`:2:18: "name": "a/b" is not a node's name`, `:2:39: "name" is empty`, `:2:59: "name": ".." is not a node's name`}},
		{"empty run", root + "scripts: [{name: a, run: ''}]\n", []string{`:2:26: "run" is empty`}},
		{"bad shebang", root + "scripts: [{name: a, run: \"#!bash\\nx\"}]\n", []string{`:2:26: its #! line does not name an interpreter by an absolute path: "#!bash"`}},
		{"undeclared value of a node", root + "values: {host: x}\nscripts: [{name: a, run: x, values: [hots]}]\n", []string{`:3:38: there is no value "hots": did you mean "host"?`}},
		{"files", root + "scripts: [{name: a, run: x, files: [/etc, ../b, ., no, s.sh, ./s.sh]}]\n", []string{
			`:2:37: "/etc": files are named relative`, `:2:43: "../b" leads out`, `:2:49: "." is the project's whole directory`,
			`:2:52: there is no file or directory "no"`, `:2:62: "./s.sh" and "s.sh" are the same files`}},
		{"env", root + "env: {XTOO_A: x, 1A: y, B: [z]}\n", []string{
			`:2:7: "XTOO_A": variables that begin with XTOO_ are xtoo's own`, `:2:18: "1A" is not a name of an environment variable`,
			`:2:28: "B" must be text, a number, or true or false, found a list`}},
		{"volumes", root + "volumes: [{source: a, target: b}, {source: a, target: /proc/x}, {source: a, target: /}, {target: /a}, {source: a, target: /x}, {source: b, target: /x/}]\n", []string{
			`:2:31: "target": "b" is not an absolute path`, `:2:55: a volume cannot be at "/proc/x": xtoo mounts /proc itself`,
			`:2:85: a volume cannot be at "/": it would hide the whole root`, `:2:89: item 4 of "volumes" has no "source"`, `...there is a volume at /x already, in line 2`}},

		{"image", root + "image: {entrypoint: /sbin/init, ports: [ssh, 70000, 22/icmp], workdir: srv, stop_signal: TERM, labels: {'a b': c}, user: [a]}\n", []string{
			`:2:21: "entrypoint" must be a list of words, as [/bin/sh, -c, …], found the text "/sbin/init"`,
			`:2:41: item 1 of "ports": "ssh" is not a port`, `:2:46: "70000": ports go from 1 to 65535`, `:2:53: item 3 of "ports": "22/icmp" is not a port`,
			`...: "workdir": "srv" is not an absolute path`, `..."stop_signal": "TERM" is not a signal`, `..."a b" is not a label's name`, `..."user" must be text`}},

		{"value names", root + "values: {Host: x, arch: y, 1a: z, node: w}\n", []string{
			`:2:10: "Host" is not a value's name`, `:2:19: a value cannot be named "arch"`, `:2:28: "1a" is not a value's name`, `:2:35: a value cannot be named "node"`}},
		{"value key", root + "values: {a: {dfault: x}}\n", []string{`:2:14: unknown key "dfault": did you mean "default"?`}},
		{"default not among choices", root + "values: {a: {default: vi, choices: [vim, tmux]}}\n", []string{`:2:23: default of value "a": "vi" is none of the choices: vim, tmux`}},
		{"default of a type", root + "values: {a: {default: x, type: int}, b: {default: [x], type: bool}, c: {default: maybe, type: bool}}\n", []string{
			`:2:23: default of value "a": it must be a whole number, found "x"`, `:2:51: default of value "b": it must be one bool, found a list`, `:2:82: default of value "c": it must be true or false, found "maybe"`}},
		{"list with white space", root + "values: {a: [x, 'y z']}\n", []string{`:2:13: default of value "a": item "y z": the items of a list must not be empty or hold white space`}},
		{"many and type", root + "values: {a: {many: true, type: int}}\n", []string{`:2:32: value "a": "many" makes a list, but "type" says int`}},
		{"secret list", root + "values: {a: {many: true, secret: true}}\n", []string{`:2:10: value "a": a secret is one text, not a list`}},
		{"secret choices", root + "values: {a: {choices: [x], secret: true}}\n", []string{`:2:10: value "a": a secret cannot have choices`}},
		{"infinity", root + "values: {a: .inf}\n", []string{`...found the number .inf | write ".inf", with the quotes`}},
		{"cycle", root + "values:\n  a: '{{ .values.b }}'\n  b: 'x{{ .values.c }}'\n  c: '{{ .values.a }}'\n", []string{
			`:3:6: values refer to each other in a circle: a -> b -> c -> a | give one of them a default of its own: a in line 3, b in line 4, c in line 5`}},
		{"values by architecture", root + "values: {a: {arch: {arm-46bit: x, arm64: y, aarch64: z, arm-64bit/raspi4: [1], '': v, '386': ~}}}\n", []string{
			`:2:21: unknown architecture "arm-46bit": did you mean "arm-64bit"?`, `:2:45: "aarch64" means the same architectures as "arm64" in line 2`,
			`:2:75: default of value "a" for arm-64bit/raspi4: it must be one string, found a list`, `:2:80: "" is not the name of an architecture`, `:2:94: "386" is empty`}},
		{"values by architecture of a type", root + "values: {a: {default: 1, arch: {arm64: x}}, b: {arch: {arm64: 1, amd64: y}}, c: {choices: [x], arch: {arm64: y}}, d: {arch: 3}}\n", []string{
			`:2:40: default of value "a" for arm-64bit: it must be a whole number, found "x"`,
			`:2:110: default of value "c" for arm-64bit: "y" is none of the choices: x`, `:2:125: "arch" must be a mapping of architectures (name: default)`}},
		{"cycle by architecture", root + "values:\n  a: {arch: {arm64: '{{ .values.b }}'}}\n  b: {default: x, arch: {amd64: '{{ .values.a }}'}}\n", []string{
			`:3:21: values refer to each other in a circle: a -> b -> a | give one of them a default of its own: a in line 3, b in line 4`}},
		{"unknown value by architecture", root + "values: {a: {arch: {arm64: '{{ .values.c }}'}}}\n", []string{`:2:28: template: there is no value "c"`}},
		{"secret lists by architecture", root + "values: {a: {secret: true, default: long, arch: {arm64: ['{{ .arch }}']}}}\n", []string{`:2:10: value "a": a secret is one text, not a list`}},
		{"cycle of one", root + "values: {a: '{{ .values.a }}'}\n", []string{`:2:13: values refer to each other in a circle: a -> a`}},
		{"template of an unknown value", root + "values: {host: x}\nscripts: [{name: a, run: 'echo {{ .values.hots }}'}]\n", []string{`:3:26: template: there is no value "hots": did you mean "host"?`}},
		{"template of a secret", root + "values: {pw: {secret: true}}\nscripts: [{name: a, run: 'echo {{ .values.pw }}'}]\nimage: {env: {P: '{{ .values.pw }}'}}\n", []string{
			`:3:26: template: value "pw" is secret, and what templates make ends up in images and logs | scripts read it from the file $XTOO_SECRETS/pw`, `:4:18: template: value "pw" is secret`}},
		{"template syntax", root + "network: none\nscripts:\n- name: a\n  run: |\n    one\n    {{ .values.x\n", []string{`:7:1: template: unclosed action`}},
		{"template function", root + "scripts: [{name: a, run: '{{ uper .arch }}'}]\n", []string{`:2:26: template: function "uper" not defined | did you mean "upper"?`}},
		{"template root", root + "scripts: [{name: a, run: '{{ . }} {{ $ }} {{ .values }} {{ .project.nam }} {{ .valeus.x }}'}]\n", []string{
			`...name what is meant`, `....values needs the name`, `...there is no .project.nam: did you mean "name"?`, `...there is no .valeus: did you mean "values"?`}},
		{"template define", root + "scripts: [{name: a, run: '{{ define \"x\" }}{{ end }}'}]\n", []string{`...define and block are not part`}},
		{"template call", root + "scripts: [{name: a, run: '{{ template \"x\" }}'}]\n", []string{`...template calls are not part`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := load(t, c.config)
			if c.want == nil {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if err == nil {
				t.Fatalf("loads; want %q", c.want)
			}
			got := problemsOf(t, err)
			for i, want := range c.want {
				if i >= len(got) {
					t.Errorf("missing: %s", want)
					continue
				}
				if part, ok := strings.CutPrefix(want, "..."); ok && !strings.Contains(got[i], part) || !ok && !strings.HasPrefix(got[i], want) {
					t.Errorf("problem %d:\nhave %s\nwant %s", i+1, got[i], want)
				}
			}
			for i := len(c.want); i < len(got); i++ {
				t.Errorf("too many: %s", got[i])
			}
			for _, e := range got {
				if strings.Contains(strings.Split(e, "|")[0], "\n") {
					t.Errorf("more than one line: %q", e)
				}
			}
		})
	}
}

func TestWrongTrees(t *testing.T) {
	const root = "from: scratch\n"
	for _, c := range []struct {
		name  string
		files map[string]string
		want  []string
	}{
		{"work directory is a project", map[string]string{configName: root, "a/" + configName: root}, []string{
			`: the work directory itself cannot be a project`}},
		{"nothing", map[string]string{"a/b": ""}, []string{"there is no project in this directory"}},
		{"hidden only", map[string]string{".a/" + configName: root}, []string{"there is no project in this directory"}},
		{"root without base", map[string]string{"a/" + configName: ""}, []string{`:1:1: the project has no parent and does not say what it starts from | add "stage3"`}},
		{"child with base", map[string]string{"a/" + configName: root, "a/b/c/" + configName: root}, []string{`:1:1: the project starts from its parent "a", and so cannot have`}},
		{"upper case", map[string]string{"Host/" + configName: root}, []string{`: the directory name "Host" cannot be part of an image's name | use lower case`}},
		{"upper case above", map[string]string{"Host/a/" + configName: root}, []string{`: the directory name "Host" cannot be part`}},
		{"illegal", map[string]string{"a b/" + configName: root, "a__b/" + configName: root, "-a/" + configName: root}, []string{
			`: the directory name "-a"`, `: the directory name "a b"`, `: the directory name "a__b"`}},
		{"long", map[string]string{strings.Repeat("a/", 101) + configName: root}, []string{`: the path of the project has 201 characters`}},
		{"sif names", map[string]string{"x/y-z/" + configName: root, "x-y/z/" + configName: root}, []string{
			`:1:1: two projects want one name: "x/y-z" and "x-y/z" would both be x-y-z.sif`}},
		{"cycle over two projects is none", map[string]string{
			"a/" + configName:   root + "values: {v: x}",
			"a/b/" + configName: "values: {v: 'b{{ .values.v }}'}"}, nil},
		{"one broken of three", map[string]string{"a/" + configName: "{", "b/" + configName: "type: 1", "c/" + configName: root}, []string{
			`...not YAML`, `:1:1: the project has no parent`, `:1:7: "type" must be`}},
		{"too large", map[string]string{"a/" + configName: root + "#" + strings.Repeat("x", MaxConfigSize)}, []string{`: cannot read the configuration: it is larger than 1048576 bytes`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := loadDir(workdir(t, c.files))
			if c.want == nil {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			got := problemsOf(t, err)
			if len(got) != len(c.want) {
				t.Fatalf("have %q, want %q", got, c.want)
			}
			for i, want := range c.want {
				if !strings.Contains(got[i], strings.TrimPrefix(want, "...")) {
					t.Errorf("have %s, want %s", got[i], want)
				}
			}
		})
	}
}

func TestScriptFiles(t *testing.T) {
	for _, c := range []struct{ name, body, want, interp string }{
		{"bash", "#!/bin/bash\n", "", "/bin/bash"},
		{"env", "#! /usr/bin/env  python3 -u \nx", "", "/usr/bin/env|python3 -u"},
		{"none", "echo\n", "", "/bin/sh"},
		{"empty", "", "", "/bin/sh"},
		{"no newline", "#!/bin/zsh", "", "/bin/zsh"},
		{"crlf", "#!/bin/sh\r\necho\r\n", "its lines end in CR LF", ""},
		{"crlf without #!", "echo\r\n", "its lines end in CR LF", ""},
		{"relative", "#!bin/sh\n", "does not name an interpreter by an absolute path", ""},
		{"empty line", "#!\n", "does not name an interpreter by an absolute path", ""},
		{"bom", "\ufeff#!/bin/sh\n", "byte order mark", ""},
		{"elf", "\x7fELF\x02\x01", "it is a program, not a script", ""},
		{"endless", "#!/" + strings.Repeat("a", 300), "more than the 255 characters", ""},
	} {
		dir := workdir(t, map[string]string{"p/" + configName: "from: scratch\nscripts: [{name: a, script: x}]", "p/x": c.body})
		tree, err := loadDir(dir)
		if c.want != "" {
			if got := problemsOf(t, err); len(got) != 1 || !strings.Contains(got[0], ":2:29: script \"x\": ") || !strings.Contains(got[0], c.want) {
				t.Errorf("%s: %q", c.name, got)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		plan, err := tree.Resolve(tree.projects, Given{})
		if err != nil {
			t.Fatal(err)
		}
		n := plan.Projects[0].Nodes[0]
		if got := strings.Join(n.Interpreter, "|"); got != c.interp || string(n.body) != c.body {
			t.Errorf("%s: %q runs under %s, want %s", c.name, n.body, got, c.interp)
		}
	}
}

// TestSystemErrors: what the system says is kept for errors.Is.
func TestSystemErrors(t *testing.T) {
	if _, err := loadDir(filepath.Join(t.TempDir(), "no")); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := loadDir(file); err == nil || !strings.Contains(err.Error(), "is not a directory") {
		t.Error(err)
	}
	if _, err := loadDir(t.TempDir()); !errors.Is(err, errNoProjects) {
		t.Error(err)
	}
	if _, err := load(t, "from: scratch\nscripts: [{name: a, script: no}]"); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	if got := (&schema.Errors{List: []schema.Problem{{Msg: "a", Hint: "b"}, {Msg: "c"}}}).Error(); got != "a (b)\nc" {
		t.Errorf("%q", got)
	}
}

// TestManyProblems: the list is bounded and says so.
func TestManyProblems(t *testing.T) {
	_, err := load(t, "from: scratch\nenv: {"+strings.Repeat("XTOO_A: x, ", 1)+"}\nexclude: ["+strings.Repeat("a, ", 1000)+"]")
	got := problemsOf(t, err)
	if len(got) != 200+1 || !strings.Contains(got[200], "more than 200 problems") {
		t.Errorf("%d problems, the last: %s", len(got), got[len(got)-1])
	}
}
