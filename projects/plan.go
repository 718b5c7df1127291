package projects

import (
	"strings"

	"xtoo/projects/schema"
	"xtoo/qemu"
)

// Where a script finds what does not reach its layer.
const (
	FilesDir   = "/run/xtoo/files"   // $XTOO_FILES: what the node declares under `files`
	SecretsDir = "/run/xtoo/secrets" // $XTOO_SECRETS: a file a secret, named like the value
)

// Plan is what is to be built: everything the result depends on is known.
// It is not changed once made, and may be read by several goroutines.
type Plan struct {
	// Projects holds the selected projects and all above them, parents before their children. A project of a
	// root with several bases stands there once for each that is to be built, one after the other.
	Projects []*PlannedProject
}

// PlannedProject is a project with its values, for one platform.
type PlannedProject struct {
	Project  *Project
	Base     *Base           // what its root starts from
	Several  bool            // the root has several bases, to be built or not: the tag is an index
	Selected bool            // asked for; else only something below it is
	Parent   *PlannedProject // on the same base; nil for roots
	Arch     qemu.Arch       // zero where neither the configuration nor [Given.Arch] says
	Nodes    []*Node         // all nodes in the order in which they execute
	Checks   []*Check        // in the order in which they execute
	Command  *Node           // without a script or a path: how something else would be executed there; nil where not selected
	Image    ImageSettings   // what this project itself says; apply it to the parent's configuration
	// Outputs are the absolute paths of the files that the configuration asks for.
	Outputs map[Output]string

	values map[string]knownValue
}

// Platform is the architecture ("arm-64bit/raspi4") where the tag has several, else "".
func (q *PlannedProject) Platform() string {
	if !q.Several {
		return ""
	}
	return q.Arch.String()
}

// Label names the project for messages: the tag, and the platform behind it where the tag has several, as
// "next/host[arm-64bit/raspi4]".
func (q *PlannedProject) Label() string { return Label(q.Project.Tag, q.Platform()) }

// Label puts a tag and a platform together for messages. An empty platform is left out.
func Label(tag, platform string) string {
	if platform == "" {
		return tag
	}
	return tag + "[" + platform + "]"
}

// Node is one script with everything it depends on: of the project's tree, or of one of its checks.
type Node struct {
	Project *PlannedProject
	Path    string // names from the top of the project's tree: "base/sync"
	Pos     schema.Position

	body        []byte   // the script: the file's content, or the inline text, templates rendered
	Interpreter []string // program and at most one argument, as the kernel would run them
	Volumes     []Volume // by target
	Network     Network
	Resolver    Resolver // with NetworkNone always the image's
	Limits      Limits
	ClearFresh  bool // what the root has in /run and /tmp is removed, which the script sees empty

	values []namedValue
	files  []fileSet
	env    map[string]string
	fixed  [][]Component // what is found once for many nodes: of the project, values, env, volumes
}

// namedValue is a value that a script sees.
type namedValue struct {
	name  string
	value knownValue
}

// Secrets returns the secrets that the script sees, by name: each is a file in [SecretsDir].
func (n *Node) Secrets() map[string]*Secret {
	out := map[string]*Secret{}
	for _, v := range n.values {
		if s := v.value.secret; s != nil {
			out[v.name] = s
		}
	}
	return out
}

// Environ is the environment that the plan gives to the script, "NAME=value" sorted by name: XTOO_ARCH,
// XTOO_SUBARCH, XTOO_PLATFORM and CHOST; XTOO_PROJECT, XTOO_TAG, XTOO_TYPE and XTOO_NODE; XTOO_FILES and
// XTOO_SECRETS; XTOO_<NAME> for every value that is not secret; and what `env` says. PATH, HOME and the like
// are for the executor to add where they are not among them.
func (n *Node) Environ() []string {
	all := map[string]string{
		"XTOO_PROJECT": n.Project.Project.name,
		"XTOO_TAG":     n.Project.Project.Tag,
		"XTOO_TYPE":    n.Project.Project.typ,
		"XTOO_NODE":    n.Path,
		"XTOO_FILES":   FilesDir,
		"XTOO_SECRETS": SecretsDir,
	}
	if a := n.Project.Arch; !a.IsZero() {
		all["XTOO_ARCH"], all["XTOO_SUBARCH"] = a.Name, a.Subarch
		all["XTOO_PLATFORM"], all["CHOST"] = a.PlatformString(), a.CHOST
	}
	for _, v := range n.values {
		if !v.value.isSecret() {
			all["XTOO_"+strings.ToUpper(v.name)] = v.value.String()
		}
	}
	for name, value := range n.env {
		all[name] = value
	}
	out := make([]string, 0, len(all))
	for _, name := range sortedKeys(all) {
		out = append(out, name+"="+all[name])
	}
	return out
}
