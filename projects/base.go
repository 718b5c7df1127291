package projects

import (
	"strings"

	"xtoo/projects/schema"
	"xtoo/qemu"
)

// BaseKind says what a root starts from.
type BaseKind string

// The kinds of base.
const (
	BaseStage3        BaseKind = "stage3"
	BaseOCI           BaseKind = "oci"            // an OCI image layout in a directory
	BaseOCIArchive    BaseKind = "oci-archive"    // one in a tar file
	BaseDockerArchive BaseKind = "docker-archive" // what `docker save` writes
	BaseScratch       BaseKind = "scratch"        // an empty root
)

// Base is one thing that a root starts from. Whether the file is there has not been checked.
type Base struct {
	Project *Project // the root
	Kind    BaseKind
	Path    string    // absolute path of the tarball, layout or archive; "" for scratch
	Ref     string    // reference inside a layout or archive; may be "" for archives
	Text    string    // as the configuration has it, for messages and history
	Arch    qemu.Arch // as declared; zero where nothing is declared
	Pos     schema.Position
}

// Several reports whether the root has other bases beside this one: the tags of its tree are then indexes.
func (b *Base) Several() bool { return len(b.Project.Bases) > 1 }

// bases reads `stage3` or `from`: one, or a list of them.
func (d *decoder) bases(v *schema.Value) []*Base {
	of, main := v.Get("stage3"), "file"
	if of == nil {
		if of, main = v.Get("from"), "image"; of == nil {
			return nil
		}
	}
	list := []*schema.Value{of}
	if of.Kind == schema.KindList {
		list = of.Items
	}
	var out []*Base
	for _, item := range list {
		if b := d.base(item, main); b != nil {
			out = append(out, b)
		}
	}
	samePlatforms(out, declaredArch, d.probs)
	return out
}

// base reads one of them; main is the key that says what it is.
func (d *decoder) base(of *schema.Value, main string) *Base {
	what := of
	if of.Kind == schema.KindMap {
		what = of.Get(main)
	}
	if what == nil {
		return nil
	}
	b := &Base{Project: d.project, Kind: BaseStage3, Path: what.Text, Text: what.Text, Pos: what.Pos}
	if main == "image" {
		kind, rest, _ := strings.Cut(what.Text, ":")
		b.Kind = BaseKind(kind)
		b.Path, b.Ref, _ = strings.Cut(rest, ":")
	}
	if b.Kind != BaseScratch {
		b.Path = d.hostPath(b.Path, what.Pos)
	}
	arch, subarch := of.Get("arch"), of.Get("subarch")
	if arch != nil || subarch != nil {
		at := arch
		if at == nil {
			at = subarch
		}
		a, err := qemu.Lookup(arch.String(), subarch.String())
		if err != nil {
			d.probs.Add(schema.Problem{Pos: at.Pos, Msg: err.Error(), Err: err})
		}
		b.Arch = a
	}
	return b
}

func declaredArch(b *Base) qemu.Arch { return b.Arch }

// samePlatforms reports bases of one root that are for one platform: an index has one image for each.
// Architectures that are not known yet are passed over.
func samePlatforms(bases []*Base, archOf func(*Base) qemu.Arch, probs *schema.Problems) {
	first := map[string]*Base{}
	for _, b := range bases {
		a := archOf(b)
		if a.IsZero() {
			continue
		}
		platform := a.PlatformString()
		other := first[platform]
		if other == nil {
			first[platform] = b
			continue
		}
		hint := "make a root directory for each"
		if b.Arch.IsZero() || other.Arch.IsZero() {
			hint = "declare arch and subarch if they are for different ones, or " + hint
		}
		probs.Hintf(b.Pos, hint, "%s and %s, in line %d, are both for the platform %s, and a tag has one image for each platform",
			a, archOf(other), other.Pos.Line, platform)
	}
}
