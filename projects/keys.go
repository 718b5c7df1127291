package projects

// This file is the table of everything a configuration may hold: keys, types, defaults, descriptions,
// examples. The decoder checks against it, the JSON schema and docs/configuration.md are made from it.

func text(t textRule) *shape { return &shape{text: &t, what: t.want} }
func anyText(what string) *shape {
	return &shape{what: what, text: &textRule{}}
}
func boolean() *shape { return &shape{boolean: true} }
func enum(words ...string) *shape {
	return &shape{what: orList(words), text: &textRule{enum: words}}
}
func listOf(item *shape, what string) *shape { return &shape{what: what, list: &listRule{item: item}} }

// literal is any scalar, taken as it stands, templates allowed.
func literal(what string) *shape {
	return &shape{what: what, text: &textRule{empty: true, tmpl: true}, literal: true}
}

func absPath(what string) *shape {
	return text(textRule{pattern: absPattern, want: what})
}

func envShape() *shape {
	return &shape{what: "a mapping of variables (NAME: value)", dict: &dict{
		key: envPattern, keyWant: "a name of an environment variable (letters, digits and _, no digit first)",
		value: literal("text, a number, or true or false"),
	}}
}

// templateNote stands at the end of descriptions; the reference makes a link of it.
const templateNote = " May hold templates."

func archFields(of string) []*field {
	return []*field{
		{key: "arch", shape: &shape{what: "the name of an architecture", text: &textRule{}, literal: true}, example: "arm-64bit",
			doc: "Funtoo's arch_desc of " + of + ", or an alias of it: `amd64`, `arm64`, `armv7`, `riscv64`, `386` and others.", defText: "what the programs in it are for"},
		{key: "subarch", shape: anyText("the name of a subarch"), example: "raspi4",
			doc: "Funtoo's subarch.", defText: "the arch's most general one"},
	}
}

func stage3Shape() *shape {
	return &shape{name: "stage3", what: "a path, or a mapping (file, arch, subarch)", text: &textRule{}, object: &object{
		later: map[string]string{
			"url":     "download the stage3 and name the file: stage3: {file: PATH}",
			"build":   "download the stage3 and name the file: stage3: {file: PATH}",
			"version": "download the stage3 and name the file: stage3: {file: PATH}",
		},
		fields: append([]*field{
			{key: "file", required: true, shape: anyText("a path"), example: "../stage3-raspi4-next-2022-06-16.tar.xz",
				doc: "The stage3 tarball, plain or compressed (xz, zstd, gzip, bzip2): absolute, below `~`, or relative to the configuration's directory."},
		}, archFields("the stage3")...),
	}}
}

func fromShape() *shape {
	image := func() textRule {
		return textRule{pattern: fromPattern, want: "an image: oci:DIR:REF, oci-archive:FILE[:REF], docker-archive:FILE[:REF] or scratch"}
	}
	rule := image()
	return &shape{name: "from", what: "an image (oci:DIR:REF, oci-archive:FILE, docker-archive:FILE, scratch), or a mapping (image, arch, subarch)",
		text: &rule, object: &object{
			fields: append([]*field{
				{key: "image", required: true, example: "oci:../images:base", shape: text(image()),
					doc: "`oci:DIR:REF`, `oci-archive:FILE[:REF]`, `docker-archive:FILE[:REF]`, or `scratch` for an empty root. DIR and FILE are absolute, below `~`, or relative to the configuration's directory."},
			}, archFields("the image")...),
		}}
}

// oneOrSeveral is what one may hold, or a list of such.
func oneOrSeveral(one *shape, what string) *shape {
	return &shape{what: what, text: one.text, object: one.object, list: &listRule{item: one, nonEmpty: true}}
}

func volumesShape() *shape {
	return listOf(&shape{name: "volume", what: "a volume ({source: …, target: …})", object: &object{fields: []*field{
		{key: "source", required: true, shape: anyText("a path"), example: "~/distfiles",
			doc: "Directory or file of this machine: absolute, below `~`, or relative to the configuration's directory."},
		{key: "target", required: true, shape: absPath("an absolute path"), example: "/var/cache/portage/distfiles",
			doc: "Where the scripts find it: an absolute path, not in `/proc`, `/sys`, `/dev` or `/run/xtoo`."},
		{key: "readonly", shape: boolean(), def: false, doc: "Scripts cannot write to it."},
	}}}, "a list of volumes")
}

func networkShape() *shape { return enum("host", "none") }

func valueShape() *shape {
	scalar := func() *shape {
		return &shape{what: "text, a number, or true or false", text: &textRule{empty: true}, boolean: true, integer: true, literal: true}
	}
	items := &listRule{item: literal("text, a number, or true or false")}
	def := scalar()
	def.name, def.what, def.list = "default", "text, a number, true or false, or a list of them", items
	v := scalar()
	v.name, v.what = "value", "a default (text, number, true, false or a list), or a mapping (default, prompt, choices, …)"
	v.null, v.list = true, items
	v.object = &object{fields: []*field{
		{key: "default", shape: def, example: `"{{ .project.name }}"`,
			doc: "The value where none is given." + templateNote, defText: "none: the value must be given or inherited, or xtoo asks for it"},
		{key: "arch", shape: &shape{what: "a mapping of architectures (name: default)", dict: &dict{
			key: anyKey, keyWant: "the name of an architecture", value: def}},
			example: "{arm-64bit: raspberrypi-kernel, x86-64bit: debian-sources}",
			doc:     "Defaults of [single architectures](#architectures), by name (as `arm-64bit`, `linux/arm/v7`, `arm-64bit/raspi4`). The one that says most about the architecture counts, and goes before `default`." + templateNote},
		{key: "prompt", shape: anyText("text"), example: "Root password", doc: "What to ask for.", defText: "the value's name"},
		{key: "type", shape: enum("string", "bool", "int", "list"), doc: "What the value must be.",
			defText: "`list` with `many`, else that of the default, else `string`"},
		{key: "choices", shape: &shape{what: "a list of what may be chosen", list: &listRule{nonEmpty: true, item: literal("text, a number, or true or false")}},
			example: "[vim, tmux]", doc: "The only values allowed."},
		{key: "many", shape: boolean(), def: false, doc: "The value is a list: any number of the choices."},
		{key: "secret", shape: boolean(), def: false,
			doc: "Scripts read it from the file `$XTOO_SECRETS/NAME`. It is in no environment, image, log or message, and no template can use it."},
		{key: "confirm", shape: boolean(), def: false, doc: "Ask twice."},
	}}
	return v
}

func imageShape() *shape {
	argv := func() *shape { return listOf(literal("text"), "a list of words, as [/bin/sh, -c, …]") }
	return &shape{name: "image", object: &object{fields: []*field{
		{key: "entrypoint", shape: argv(), example: "[/sbin/init]", doc: "The program that a container runs. It takes the place of the parent's, and of the parent's `cmd`: those were the arguments of another program." + templateNote},
		{key: "cmd", shape: argv(), example: "[--verbose]", doc: "Its arguments, which `podman run IMAGE …` replaces." + templateNote},
		{key: "env", shape: envShape(), example: "{LANG: C.UTF-8}", doc: "Environment of a container; added to the parent's." + templateNote},
		{key: "labels", shape: &shape{what: "a mapping of labels (name: text)", dict: &dict{
			key: labelPattern, keyWant: "a label's name", value: literal("text, a number, or true or false")}},
			example: `{org.opencontainers.image.title: "{{ .project.name }}"}`, doc: "Labels of the image; added to the parent's." + templateNote},
		{key: "ports", shape: listOf(&shape{what: "a port (22 or 22/tcp)", literal: true,
			text: &textRule{pattern: portPattern, want: "a port: NUMBER or NUMBER/tcp, /udp, /sctp"}}, "a list of ports"),
			example: "[22/tcp]", doc: "Ports that a container serves."},
		{key: "user", shape: &shape{what: "text (USER or USER:GROUP)", literal: true, text: &textRule{empty: true}}, example: "nobody:nogroup",
			doc: "User (and group) that a container runs as; empty means root."},
		{key: "workdir", shape: absPath("an absolute path"), example: "/srv", doc: "Working directory of a container."},
		{key: "volumes", shape: listOf(absPath("an absolute path"), "a list of absolute paths"), example: "[/var/lib/data]",
			doc: "Directories of a container that hold data of their own."},
		{key: "stop_signal", shape: &shape{what: "a signal (SIGTERM, SIGRTMIN+3)", literal: true,
			text: &textRule{pattern: signalPattern, want: "a signal: SIGTERM, SIGRTMIN+3, or its number"}}, example: "SIGTERM",
			doc: "Signal that ends a container."},
	}}}
}

func scriptShape() *shape {
	node := &shape{name: "script", what: "a node ({name: …, run: …})"}
	node.object = &object{
		oneOf: [][]string{{"run", "script"}},
		later: map[string]string{
			"step": "steps come with a later version: write what the step would do under \"run\", or in a file named by \"script\"",
			"with": "it belongs to steps, which come with a later version: use \"values\" and \"env\"",
		},
		fields: []*field{
			{key: "name", required: true, example: "base", shape: &shape{what: "text", literal: true,
				text: &textRule{pattern: nodePattern, want: "a node's name: letters, digits, . _ - (a letter or digit first), at most 64"}},
				doc: "Name of the node; different from those beside it."},
			{key: "run", shape: &shape{what: "the text of a script", text: &textRule{tmpl: true}}, example: `"ego sync"`,
				doc: "The script itself. It runs under `/bin/sh` unless its first line is a `#!` line." + templateNote},
			{key: "script", shape: anyText("a path"), example: "scripts/base.sh",
				doc: "File with the script, relative to the configuration's directory. Its `#!` line names the interpreter; without one it is `/bin/sh`. It is used as it is: no templates."},
			{key: "scripts", shape: listOf(node, "a list of scripts"), doc: "Children: nodes that run before this one, in order."},
			{key: "values", shape: listOf(text(textRule{pattern: valuePattern, want: "a value's name"}), "a list of names of values"), example: "[hostname]",
				doc: "The values that the script sees. Only when one of these changes does the node run again.", defText: "all values of the project"},
			{key: "files", shape: listOf(anyText("a path"), "a list of paths"), example: "[dotfiles]",
				doc: "Files and directories beside the configuration that the script can read below `$XTOO_FILES`, under the same paths. When one changes the node runs again."},
			{key: "env", shape: envShape(), example: "{FEATURES: -sandbox}", doc: "Environment of this script; added to the project's `env`." + templateNote},
			{key: "volumes", shape: volumesShape(), doc: "Volumes of this script; added to the project's `volumes`."},
			{key: "network", shape: networkShape(), defText: "the project's `network`", doc: "Network of this script."},
		},
	}
	return node
}

// configShape is the whole configuration.
func configShape() *shape {
	return &shape{what: "a mapping (key: value)", object: &object{
		notBoth: [][]string{{"stage3", "from"}},
		fields: []*field{
			{key: "type", shape: text(textRule{pattern: typePattern, want: "a type's name: a lower case letter, then lower case letters, digits, _ and -, at most 64"}),
				example: "stage4", doc: "What kind of project this is, in a word. Scripts see it as `XTOO_TYPE`, templates as `.project.type`."},
			{key: "stage3", shape: oneOrSeveral(stage3Shape(), "a path, a mapping (file, arch, subarch), or a list of them"),
				example: "{file: ../stage3-raspi4-next-2022-06-16.tar.xz, arch: arm-64bit, subarch: raspi4}",
				doc:     "Roots only: the stage3 that the project starts from. A path alone means `{file: PATH}`. A list of several builds the tree for [several architectures](#architectures)."},
			{key: "from", shape: oneOrSeveral(fromShape(), "an image (oci:DIR:REF, oci-archive:FILE, docker-archive:FILE, scratch), a mapping (image, arch, subarch), or a list of them"),
				example: "oci:../images:base",
				doc:     "Roots only, instead of `stage3`: another image to start from. A text alone means `{image: TEXT}`. A list of several builds the tree for [several architectures](#architectures)."},
			{key: "exclude", shape: listOf(absPath("an absolute path"), "a list of absolute paths, with * where needed"), example: "[/usr/src/linux-*, /lib/modules/*]",
				doc: "With `stage3` only: what never enters the base layer. Absolute paths; `*`, `?` and `[…]` match within a name; what is below a match goes with it."},
			{key: "values", shape: &shape{what: "a mapping of values (name: default)", dict: &dict{key: valuePattern,
				keyWant: "a value's name (a lower case letter, then lower case letters, digits and _)", value: valueShape()}},
				example: "{hostname: {default: \"{{ .project.name }}\"}}",
				doc:     "Values of the project, by name: a default alone, or a mapping. Projects below inherit them and can change them."},
			{key: "env", shape: envShape(), example: "{MAKEOPTS: -j4}",
				doc: "Environment of the scripts of this project and of those below it; that of containers is `image.env`." + templateNote},
			{key: "volumes", shape: volumesShape(), doc: "What scripts can use of this machine, in this project and in those below it. Nothing of it enters an image."},
			{key: "network", shape: networkShape(), defText: "the parent's, else `host`",
				doc: "`host`: scripts use the machine's network. `none`: they have none. Projects below inherit it."},
			{key: "scripts", shape: listOf(scriptShape(), "a list of scripts"),
				doc: "The tree of nodes. Each runs one script and commits one layer; children run before their parent, in order."},
			{key: "image", shape: imageShape(), doc: "What the image says about running it. What is not said here is as in the parent's image."},
			{key: "outputs", shape: &shape{name: "outputs", object: &object{fields: []*field{
				{key: "sif", shape: &shape{what: "a path", text: &textRule{tmpl: true}}, example: `"{{ .project.name }}.sif"`,
					doc: "Write the image as a SIF file: absolute, below `~`, or relative to the configuration's directory. With [several architectures](#architectures) the name gets the platform before `.sif`, unless the template uses `.arch` or `.subarch`." + templateNote},
			}}}, doc: "What a build writes besides the store."},
		},
	}}
}
