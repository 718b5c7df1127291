package projects

import (
	"regexp"
	"strings"
	"sync"

	"xtoo/projects/schema"
)

// pattern compiles a regular expression when it is first asked for: most starts of this program never do.
func pattern(text string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(text) })
}

// A part of a tag must be legal in two grammars at once: as a component of an OCI reference name
// (image-spec, annotations, org.opencontainers.image.ref.name) and of a repository path
// (distribution-spec, "Pulling manifests"). This is what both allow.
var projectName = pattern(`^[a-z0-9]+(?:(?:[._-]|--)[a-z0-9]+)*$`)

// maxTag keeps REGISTRY/PATH below the 255 characters that registries allow, and TAG.sif a file name.
const maxTag = 200

var (
	typePattern   = pattern(`^[a-z][a-z0-9_-]{0,63}$`)
	nodePattern   = pattern(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)
	valuePattern  = pattern(`^[a-z][a-z0-9_]{0,63}$`)
	envPattern    = pattern(`^[A-Za-z_][A-Za-z0-9_]*$`)
	absPattern    = pattern(`^/`)
	portPattern   = pattern(`^[0-9]{1,5}(/(tcp|udp|sctp))?$`)
	signalPattern = pattern(`^(SIG[A-Z0-9]+([+-][0-9]{1,2})?|[0-9]{1,2})$`)
	fromPattern   = pattern(`^(scratch|oci:[^:]+:.+|(oci-archive|docker-archive):[^:]+(:.+)?)$`)
	labelPattern  = pattern(`^[^=\s]+$`)
	numberPattern = pattern(`^-?[0-9]{1,18}$`)
	anyKey        = pattern(`.`)
)

// reservedValues are names that would become variables XTOO_<NAME> that xtoo sets, or reads, itself; and
// `projects`, which is the key of the sections in a file of values.
func reservedValues() []string {
	return []string{
		"arch", "subarch", "platform", "project", "projects", "tag", "type", "node", "step", "script",
		"files", "secrets", "store", "scratch",
	}
}

func isReserved(name string) bool {
	for _, r := range reservedValues() {
		if r == name {
			return true
		}
	}
	return false
}

// nameProblem says why a directory's name cannot be part of a tag; "" if it can.
func nameProblem(name string) string {
	switch {
	case projectName().MatchString(name):
		return ""
	case projectName().MatchString(strings.ToLower(name)):
		return "use lower case: image names have no upper case letters"
	}
	return "a name is lower case letters and digits, with single . _ - (or --) between them"
}

// sifName is the file name of a project's SIF image in a directory of them: the tag with "/" as "-", and the
// platform ("arm-64bit/raspi4") behind it, unless it is empty: "next-host.sif", "next-host-arm-64bit-raspi4.sif".
func sifName(tag, platform string) string {
	return OutputSIF.WithPlatform(strings.ReplaceAll(tag, "/", "-")+sifSuffix, platform)
}

const sifSuffix = ".sif"

// sifNames are the file names of SIF images in a directory of them, and whose they are.
type sifNames map[string]*Project

// claim takes a name for a project, or reports that another project has it.
func (s sifNames) claim(p *Project, name string, probs *schema.Problems) {
	if other := s[name]; other != nil && other != p {
		probs.Hintf(p.Pos, "rename one of the two directories",
			"two projects want one name: %q and %q would both be %s", other.Tag, p.Tag, name)
	}
	s[name] = p
}
