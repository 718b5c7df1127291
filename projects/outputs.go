package projects

import (
	"path/filepath"
	"slices"
	"strings"
)

// An Output is a kind of what is written of an image: of most kinds a configuration can ask for a file, and then it is the key below `outputs`.
type Output string

// The outputs.
const (
	OutputSIF           Output = "sif"
	OutputStage4        Output = "stage4"
	OutputSquashfs      Output = "squashfs"
	OutputOCIArchive    Output = "oci_archive"
	OutputDockerArchive Output = "docker_archive"
	// OutputRootfs is a directory, which is never replaced: no configuration asks for it.
	OutputRootfs Output = "rootfs"
)

// configurable are those that a configuration can ask for.
func configurable() []Output {
	return []Output{OutputSIF, OutputStage4, OutputSquashfs, OutputOCIArchive, OutputDockerArchive}
}

// String names the output in messages.
func (o Output) String() string {
	switch o {
	case OutputSIF:
		return "SIF"
	case OutputOCIArchive:
		return "OCI archive"
	case OutputDockerArchive:
		return "docker archive"
	case OutputRootfs:
		return "root directory"
	}
	return string(o)
}

// suffixes are what the name of a file of this kind may end in, the usual one first.
func (o Output) suffixes() []string {
	switch o {
	case OutputSIF:
		return []string{sifSuffix}
	case OutputStage4:
		return []string{".tar.xz", ".tar.zst", ".tar.gz", ".tar"}
	case OutputSquashfs:
		return []string{".squashfs", ".sqfs", ".img"}
	case OutputOCIArchive:
		return []string{".oci.tar", ".tar"}
	case OutputDockerArchive:
		return []string{".docker.tar", ".tar"}
	}
	return []string{""}
}

// WithPlatform puts a platform into the path of a file, before what such files end in, or at its end; an empty platform changes nothing.
func (o Output) WithPlatform(path, platform string) string {
	if platform == "" {
		return path
	}
	platform = "-" + strings.ReplaceAll(platform, "/", "-")
	for _, suffix := range o.suffixes() {
		if stem, ok := strings.CutSuffix(path, suffix); ok {
			return stem + platform + suffix
		}
	}
	return path + platform
}

// NameProblem says what is wrong with the name of a file of this kind, and what to do; "" if nothing is.
func (o Output) NameProblem(path string) (problem, hint string) {
	ends := func(suffix string) bool { return strings.HasSuffix(path, suffix) }
	switch o {
	case OutputStage4:
		if !slices.ContainsFunc(o.suffixes(), ends) {
			return "does not say how it is compressed", "let it end in .tar.xz, .tar.zst, .tar.gz or .tar"
		}
	case OutputOCIArchive, OutputDockerArchive:
		// Readers unpack a compressed one into a temporary file first, and the layers in it are compressed where that serves.
		if slices.ContainsFunc([]string{".gz", ".tgz", ".xz", ".txz", ".zst", ".bz2"}, ends) {
			return "says that it is compressed, which archives are not", "let it end in .tar"
		}
	}
	return "", ""
}

// OutputName is the name of a file of its image in a directory of such files: "next-host-arm-64bit-raspi4.tar.xz".
func (q *PlannedProject) OutputName(o Output) string {
	return strings.TrimSuffix(sifName(q.Project.Tag, q.Platform()), sifSuffix) + o.suffixes()[0]
}

// outputTexts are the paths that the configuration gives.
func (p *Project) outputTexts() []*tmplText {
	var list []*tmplText
	for _, o := range configurable() {
		list = append(list, p.outputs[o])
	}
	return list
}

// outputs are the absolute paths of the files that a configuration asks for.
func (r *resolver) outputs(q *PlannedProject, s scope) {
	for _, o := range configurable() {
		t := q.Project.outputs[o]
		if t == nil {
			continue
		}
		path := r.output(q, s, t, o)
		if path == "" {
			continue
		}
		if problem, hint := o.NameProblem(path); problem != "" {
			r.probs.Hintf(t.pos, hint, "the %s's path %q %s", o, filepath.Base(path), problem)
		}
		if q.Outputs == nil {
			q.Outputs = map[Output]string{}
		}
		q.Outputs[o] = path
	}
}

// output is the absolute path of a file that a configuration asks for; "" after a problem.
func (r *resolver) output(q *PlannedProject, s scope, t *tmplText, o Output) string {
	text := r.text(t, s)
	if text == "" || strings.HasSuffix(text, "/") {
		r.probs.Addf(t.pos, "the %s's path %q names no file", o, text)
		return ""
	}
	if !t.arch { // else the configuration itself says where the platform stands
		text = o.WithPlatform(text, q.Platform())
	}
	return filepath.Clean(r.tree.from.hostPath(q.Project.Tag, text, t.pos, r.probs))
}

// claimOutputs notes that a project writes its files, and whether another does.
func (r *resolver) claimOutputs(written map[string]*PlannedProject, q *PlannedProject) {
	for _, o := range configurable() {
		if path := q.Outputs[o]; path != "" {
			r.claim(written, q, path, q.Project.outputs[o])
		}
	}
}
