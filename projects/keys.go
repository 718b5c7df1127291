package projects

import (
	"slices"

	"xtoo/projects/schema"
)

// This file is the table of everything a configuration may hold: keys, types, defaults, descriptions,
// examples. The decoder checks against it, the JSON schema and docs/configuration.md are made from it.

func text(t schema.Text) *schema.Shape { return &schema.Shape{Text: &t, What: t.Want} }
func anyText(what string) *schema.Shape {
	return &schema.Shape{What: what, Text: &schema.Text{}}
}
func boolean() *schema.Shape { return &schema.Shape{Boolean: true} }
func wholeNumber() *schema.Shape {
	return &schema.Shape{What: "a whole number", Literal: true, Text: &schema.Text{Pattern: numberPattern(), Want: "a whole number"}}
}
func enum(words ...string) *schema.Shape {
	return &schema.Shape{Text: &schema.Text{Enum: words}}
}
func listOf(item *schema.Shape, what string) *schema.Shape {
	return &schema.Shape{What: what, List: &schema.List{Item: item}}
}

// literal is any scalar, taken as it stands, templates allowed.
func literal(what string) *schema.Shape {
	return &schema.Shape{What: what, Text: &schema.Text{Empty: true}, Literal: true}
}

func absPath(what string) *schema.Shape {
	return text(schema.Text{Pattern: absPattern(), Want: what})
}

func envShape() *schema.Shape {
	return &schema.Shape{What: "a mapping of variables (NAME: value)", Dict: &schema.Dict{
		Key: envPattern(), KeyWant: "a name of an environment variable (letters, digits and _, no digit first)",
		Value: literal("text, a number, or true or false"),
	}}
}

// templateNote stands at the end of descriptions; the reference makes a link of it.
const templateNote = " May hold templates."

func archFields(of string) []*schema.Field {
	return []*schema.Field{
		{Key: "arch", Shape: &schema.Shape{What: "the name of an architecture", Text: &schema.Text{}, Literal: true}, Example: "arm-64bit",
			Doc: "Funtoo's arch_desc of " + of + ", or an alias of it: `amd64`, `arm64`, `armv7`, `riscv64`, `386` and others.", DefText: "what the programs in it are for"},
		{Key: "subarch", Shape: anyText("the name of a subarch"), Example: "raspi4",
			Doc: "Funtoo's subarch.", DefText: "the arch's most general one"},
	}
}

func stage3Shape() *schema.Shape {
	return &schema.Shape{Name: "stage3", What: "a path, or a mapping (file, arch, subarch)", Text: &schema.Text{}, Object: &schema.Object{
		Later: map[string]string{
			"url":     "download the stage3 and name the file: stage3: {file: PATH}",
			"build":   "download the stage3 and name the file: stage3: {file: PATH}",
			"version": "download the stage3 and name the file: stage3: {file: PATH}",
		},
		Fields: append([]*schema.Field{
			{Key: "file", Required: true, Shape: anyText("a path"), Example: "../stage3-raspi4-next-2022-06-16.tar.xz",
				Doc: "The stage3 tarball, plain or compressed (xz, zstd, gzip, bzip2): absolute, below `~`, or relative to the configuration's directory."},
		}, archFields("the stage3")...),
	}}
}

func fromShape() *schema.Shape {
	image := func() schema.Text {
		return schema.Text{Pattern: fromPattern(), Want: "an image: oci:DIR:REF, oci-archive:FILE[:REF], docker-archive:FILE[:REF] or scratch"}
	}
	rule := image()
	return &schema.Shape{Name: "from", What: "an image (oci:DIR:REF, oci-archive:FILE, docker-archive:FILE, scratch), or a mapping (image, arch, subarch)",
		Text: &rule, Object: &schema.Object{
			Fields: append([]*schema.Field{
				{Key: "image", Required: true, Example: "oci:../images:base", Shape: text(image()),
					Doc: "`oci:DIR:REF`, `oci-archive:FILE[:REF]`, `docker-archive:FILE[:REF]`, or `scratch` for an empty root. DIR and FILE are absolute, below `~`, or relative to the configuration's directory."},
			}, archFields("the image")...),
		}}
}

// oneOrSeveral is what one may hold, or a list of such.
func oneOrSeveral(one *schema.Shape, what string) *schema.Shape {
	return &schema.Shape{What: what, Text: one.Text, Object: one.Object, List: &schema.List{Item: one, NonEmpty: true}}
}

func volumesShape() *schema.Shape {
	return listOf(&schema.Shape{Name: "volume", What: "a volume ({source: …, target: …})", Object: &schema.Object{Fields: []*schema.Field{
		{Key: "source", Required: true, Shape: anyText("a path"), Example: "~/distfiles",
			Doc: "Directory or file of this machine: absolute, below `~`, or relative to the configuration's directory."},
		{Key: "target", Required: true, Shape: absPath("an absolute path"), Example: "/var/cache/portage/distfiles",
			Doc: "Where the scripts find it: an absolute path, not in `/proc`, `/sys`, `/dev` or `/run/xtoo`."},
		{Key: "readonly", Shape: boolean(), Default: false, Doc: "Scripts cannot write to it."},
		{Key: "track", Shape: boolean(), Default: false, Doc: "What is in the source counts: when names, contents, executable bits or targets of links change there, the scripts that see the volume run again. All of it is read at each build, up to a million files and 64 GiB; so it is for directories that change seldom and that scripts do not write to (`readonly: true`)."},
	}}}, "a list of volumes")
}

func valueShape() *schema.Shape {
	scalar := func() *schema.Shape {
		return &schema.Shape{What: "text, a number, or true or false", Text: &schema.Text{Empty: true}, Boolean: true, Integer: true, Literal: true}
	}
	items := &schema.List{Item: literal("text, a number, or true or false")}
	def := scalar()
	def.Name, def.What, def.List = "default", "text, a number, true or false, or a list of them", items
	v := scalar()
	v.Name, v.What = "value", "a default (text, number, true, false or a list), or a mapping (default, prompt, choices, …)"
	v.Null, v.List = true, items
	v.Object = &schema.Object{Fields: []*schema.Field{
		{Key: "default", Shape: def, Example: `"{{ .project.name }}"`,
			Doc: "The value where none is given." + templateNote, DefText: "none: the value must be given or inherited, or xtoo asks for it"},
		{Key: "arch", Shape: &schema.Shape{What: "a mapping of architectures (name: default)", Dict: &schema.Dict{
			Key: anyKey(), KeyWant: "the name of an architecture", Value: def}},
			Example: "{arm-64bit: raspberrypi-kernel, x86-64bit: debian-sources}",
			Doc:     "Defaults of [single architectures](#architectures), by name (as `arm-64bit`, `linux/arm/v7`, `arm-64bit/raspi4`). The one that says most about the architecture counts, and goes before `default`." + templateNote},
		{Key: "prompt", Shape: anyText("text"), Example: "Root password", Doc: "What to ask for.", DefText: "the value's name"},
		{Key: "type", Shape: enum("string", "bool", "int", "list"), Doc: "What the value must be.",
			DefText: "`list` with `many`, else that of the default, else `string`"},
		{Key: "choices", Shape: &schema.Shape{What: "a list of what may be chosen", List: &schema.List{NonEmpty: true, Item: literal("text, a number, or true or false")}},
			Example: "[vim, tmux]", Doc: "The only values allowed."},
		{Key: "pattern", Shape: anyText("a regular expression"), Example: "'[a-z][a-z0-9-]*'", DefText: "any text",
			Doc: "A regular expression ([RE2](https://github.com/google/re2/wiki/Syntax)) that the whole text must match; of a list, each item."},
		{Key: "min", Shape: wholeNumber(), Example: "1", DefText: "none", Doc: "The least that is allowed: of an `int` the number, of a `string` its length in characters, of a list the number of items."},
		{Key: "max", Shape: wholeNumber(), Example: "64", DefText: "none", Doc: "The most that is allowed, in the same measure."},
		{Key: "help", Shape: anyText("text"), Example: "Shown at the login.", Doc: "A line or more about the value, shown with the question.", DefText: "none"},
		{Key: "many", Shape: boolean(), Default: false, Doc: "The value is a list: any number of the choices."},
		{Key: "secret", Shape: boolean(), Default: false,
			Doc: "Scripts read it from the file `$XTOO_SECRETS/NAME`. It is in no environment, image, log or message, and no template can use it. What a script prints is searched for it, as it is, as `sh -x` quotes it and in base64; so it has at least 4 bytes. It is given by `--secret NAME=file:PATH` or `NAME=env:VAR`, `--values FILE` or an answer, not by `--set`, which everybody on the machine can read."},
		{Key: "confirm", Shape: boolean(), Doc: "Ask twice. Secrets are asked for twice unless this is `false`.", DefText: "`true` for secrets, else `false`"},
	}}
	return v
}

func imageShape() *schema.Shape {
	argv := func() *schema.Shape { return listOf(literal("text"), "a list of words, as [/bin/sh, -c, …]") }
	return &schema.Shape{Name: "image", Object: &schema.Object{Fields: []*schema.Field{
		{Key: "entrypoint", Shape: argv(), Example: "[/sbin/init]", Doc: "The program that a container runs. It takes the place of the parent's, and of the parent's `cmd`: those were the arguments of another program." + templateNote},
		{Key: "cmd", Shape: argv(), Example: "[--verbose]", Doc: "Its arguments, which `podman run IMAGE …` replaces." + templateNote},
		{Key: "env", Shape: envShape(), Example: "{LANG: C.UTF-8}", Doc: "Environment of a container; added to the parent's." + templateNote},
		{Key: "labels", Shape: &schema.Shape{What: "a mapping of labels (name: text)", Dict: &schema.Dict{
			Key: labelPattern(), KeyWant: "a label's name", Value: literal("text, a number, or true or false")}},
			Example: `{org.opencontainers.image.title: "{{ .project.name }}"}`, Doc: "Labels of the image; added to the parent's." + templateNote},
		{Key: "ports", Shape: listOf(&schema.Shape{What: "a port (22 or 22/tcp)", Literal: true,
			Text: &schema.Text{Pattern: portPattern(), Want: "a port: NUMBER or NUMBER/tcp, /udp, /sctp"}}, "a list of ports"),
			Example: "[22/tcp]", Doc: "Ports that a container serves."},
		{Key: "user", Shape: &schema.Shape{What: "text (USER or USER:GROUP)", Literal: true, Text: &schema.Text{Empty: true}}, Example: "nobody:nogroup",
			Doc: "User (and group) that a container runs as; empty means root."},
		{Key: "workdir", Shape: absPath("an absolute path"), Example: "/srv", Doc: "Working directory of a container."},
		{Key: "volumes", Shape: listOf(absPath("an absolute path"), "a list of absolute paths"), Example: "[/var/lib/data]",
			Doc: "Directories of a container that hold data of their own."},
		{Key: "stop_signal", Shape: &schema.Shape{What: "a signal (SIGTERM, SIGRTMIN+3)", Literal: true,
			Text: &schema.Text{Pattern: signalPattern(), Want: "a signal: SIGTERM, SIGRTMIN+3, or its number"}}, Example: "SIGTERM",
			Doc: "Signal that ends a container."},
	}}}
}

func scriptShape() *schema.Shape {
	node := &schema.Shape{Name: "script", What: "a node ({name: …, run: …})"}
	node.Object = &schema.Object{
		OneOf: [][]string{{"run", "script", "step"}},
		Fields: append([]*schema.Field{
			{Key: "name", Required: true, Example: "base", Shape: &schema.Shape{What: "text", Literal: true,
				Text: &schema.Text{Pattern: nodePattern(), Want: "a node's name: letters, digits, . _ - (a letter or digit first), at most 64"}},
				Doc: "Name of the node; different from those beside it."},
			{Key: "run", Shape: &schema.Shape{What: "the text of a script", Text: &schema.Text{}}, Example: `"ego sync"`,
				Doc: "The script itself. It runs under `/bin/sh` unless its first line is a `#!` line." + templateNote},
			{Key: "script", Shape: anyText("a path"), Example: "scripts/base.sh",
				Doc: "File with the script, relative to the configuration's directory. Its `#!` line names the interpreter; without one it is `/bin/sh`. It is used as it is: no templates."},
			{Key: "step", Shape: anyText("the name of a step"), Example: "hostname",
				Doc: "Name of a [step](#steps): what it does, the library has a script for."},
			{Key: "with", Shape: &schema.Shape{What: "a mapping (parameter: value)", Dict: &schema.Dict{}, Open: true}, Example: `{name: "{{ .project.name }}"}`,
				Doc: "The step's parameters; `xtoo steps show NAME` lists them." + templateNote},
			{Key: "scripts", Shape: listOf(node, "a list of scripts"), Doc: "Children: nodes that run before this one, in order."},
			{Key: "values", Shape: listOf(text(schema.Text{Pattern: valuePattern(), Want: "a value's name"}), "a list of names of values"), Example: "[hostname]",
				Doc: "The values that the script sees. Only when one of these changes does the node run again.", DefText: "all values of the project; for a step none"},
			{Key: "files", Shape: listOf(anyText("a path"), "a list of paths"), Example: "[dotfiles]",
				Doc: "Files and directories beside the configuration that the script can read below `$XTOO_FILES`, under the same paths. When one changes the node runs again."},
			{Key: "env", Shape: envShape(), Example: "{FEATURES: -sandbox}", Doc: "Environment of this script; added to the project's `env`." + templateNote},
			{Key: "volumes", Shape: volumesShape(), Doc: "Volumes of this script; added to the project's `volumes`."},
		}, executionFields("the project's `network`", "the project's", "this script has")...),
	}
	return node
}

// program is whose configurations these are.
const program = "xtoo"

// configDocument is the whole configuration.
func configDocument() *schema.Document {
	return &schema.Document{
		Label: "the configuration", Program: program, Root: configShape(), ID: schemaID,
		Title:       "xtoo project configuration (" + configName + ")",
		Description: "A directory with this file is a project and yields one image. The file may be empty in a project that has a parent.",
	}
}

// schemaID is the $id of the JSON schema: a name, not an address.
const schemaID = "urn:xtoo:project-configuration"

func configShape() *schema.Shape {
	return &schema.Shape{What: "a mapping (key: value)", Object: &schema.Object{
		NotBoth: [][]string{{"stage3", "from"}},
		Fields: slices.Concat([]*schema.Field{
			{Key: "type", Shape: text(schema.Text{Pattern: typePattern(), Want: "a type's name: a lower case letter, then lower case letters, digits, _ and -, at most 64"}),
				Example: "stage4", Doc: "What kind of project this is: a [type](types.md) that ships, or one of your own. The project has its values, nodes, checks and settings. Scripts see the name as `XTOO_TYPE`, templates as `.project.type`."},
			{Key: "stage3", Shape: oneOrSeveral(stage3Shape(), "a path, a mapping (file, arch, subarch), or a list of them"),
				Example: "{file: ../stage3-raspi4-next-2022-06-16.tar.xz, arch: arm-64bit, subarch: raspi4}",
				Doc:     "Roots only: the stage3 that the project starts from. A path alone means `{file: PATH}`. A list of several builds the tree for [several architectures](#architectures)."},
			{Key: "from", Shape: oneOrSeveral(fromShape(), "an image (oci:DIR:REF, oci-archive:FILE, docker-archive:FILE, scratch), a mapping (image, arch, subarch), or a list of them"),
				Example: "oci:../images:base",
				Doc:     "Roots only, instead of `stage3`: another image to start from. A text alone means `{image: TEXT}`. A list of several builds the tree for [several architectures](#architectures)."},
			{Key: "exclude", Shape: listOf(absPath("an absolute path"), "a list of absolute paths, with * where needed"), Example: "[/usr/src/linux-*, /lib/modules/*]",
				Doc: "With `stage3` only: what never enters the base layer. Absolute paths; `*`, `?` and `[…]` match within a name, `**` between slashes any number of directories, none included (`/**/__pycache__`); what is below a match goes with it."},
			{Key: "values", Shape: &schema.Shape{What: "a mapping of values (name: default)", Dict: &schema.Dict{Key: valuePattern(),
				KeyWant: "a value's name (a lower case letter, then lower case letters, digits and _)", Value: valueShape()}},
				Example: "{hostname: {default: \"{{ .project.name }}\"}}",
				Doc:     "Values of the project, by name: a default alone, or a mapping. Projects below inherit them and can change them."},
			{Key: "env", Shape: envShape(), Example: "{MAKEOPTS: -j4}",
				Doc: "Environment of the scripts of this project and of those below it; that of containers is `image.env`." + templateNote},
			{Key: "volumes", Shape: volumesShape(), Doc: "What scripts can use of this machine, in this project and in those below it. Nothing of it enters an image."},
		}, executionFields("the parent's, else `host`", "the parent's", "scripts have"), []*schema.Field{
			{Key: "scripts", Shape: listOf(scriptShape(), "a list of scripts"),
				Doc: "The tree of nodes. Each runs one script and commits one layer; children run before their parent, in order."},
			{Key: "checks", Shape: listOf(checkShape(), "a list of checks"), Example: `[{name: vim, run: "vim --version"}]`,
				Doc: "What must hold for the finished image: scripts that are executed on it, in order, and change nothing. Where one fails, the image gets no tag and is in no output, nor is what builds on it. See [checks](checks.md)."},
			{Key: "image", Shape: imageShape(), Doc: "What the image says about running it. What is not said here is as in the parent's image."},
			{Key: "outputs", Shape: &schema.Shape{Name: "outputs", Object: &schema.Object{Fields: []*schema.Field{
				{Key: "sif", Shape: &schema.Shape{What: "a path", Text: &schema.Text{}}, Example: `"{{ .project.name }}.sif"`,
					Doc: "Write the image as a SIF file: absolute, below `~`, or relative to the configuration's directory. With [several architectures](#architectures) the name gets the platform before `.sif`, unless the template uses `.arch` or `.subarch`." + templateNote},
				{Key: "stage4", Shape: &schema.Shape{What: "a path", Text: &schema.Text{}}, Example: `"{{ .project.name }}.tar.xz"`,
					Doc: "Write the image's root as a [stage4 tarball](stage4.md), with its digests and listing beside it. The end of the name, `.tar.xz`, `.tar.zst`, `.tar.gz` or `.tar`, says how it is compressed; else as `sif`." + templateNote},
				{Key: "squashfs", Shape: &schema.Shape{What: "a path", Text: &schema.Text{}}, Example: `"{{ .project.name }}.squashfs"`,
					Doc: "Write the image's root as a [squashfs filesystem](outputs.md#squashfs); else as `sif`." + templateNote},
				{Key: "oci_archive", Shape: &schema.Shape{What: "a path", Text: &schema.Text{}}, Example: `"{{ .project.name }}.oci.tar"`,
					Doc: "Write the image as an [OCI archive](outputs.md#archives), a tar file of an OCI image layout; else as `sif`." + templateNote},
				{Key: "docker_archive", Shape: &schema.Shape{What: "a path", Text: &schema.Text{}}, Example: `"{{ .project.name }}.docker.tar"`,
					Doc: "Write the image as an [archive for `docker load`](outputs.md#archives); else as `sif`." + templateNote},
			}}}, Doc: "What a build writes besides the store."},
		}),
	}}
}
