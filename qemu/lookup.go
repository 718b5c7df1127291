package qemu

import (
	"debug/elf"
	"errors"
	"fmt"
	"runtime"
	"sort"
	"strings"

	"xtoo/internal/nearest"
)

// Kinds of errors of this package.
var (
	// errUnknown: a name, a platform or an ELF header that the table does not have.
	errUnknown = errors.New("unknown architecture")
	// errNoPrograms: there was no program to tell the architecture from.
	errNoPrograms = errors.New("no programs to tell the architecture from")
	// errMismatch: programs are for another architecture than was declared.
	errMismatch = errors.New("architecture mismatch")
)

// Lookup finds an architecture by Funtoo's names or an alias of them, in any case.
//
// arch is an arch_desc ("arm-64bit"), an alias ("arm64", "aarch64"), an OCI platform ("linux/arm/v7",
// "amd64/v3"), or, when subarch is empty, both names at once ("arm-64bit/raspi4"). An empty subarch means
// the arch_desc's default: the one that runs on every machine of the kind, but armv7a for arm-32bit. An
// empty arch finds the subarch wherever it is. The suffix "-pure64" of Funtoo's stage3s without 32-bit
// libraries is understood, and kept.
//
// The error offers the nearest names.
func Lookup(arch, subarch string) (Arch, error) {
	a, s := strings.ToLower(strings.TrimSpace(arch)), strings.ToLower(strings.TrimSpace(subarch))
	if a == "" && s == "" {
		return Arch{}, fmt.Errorf("%w: no name given", errUnknown)
	}
	if both, ok := subarchAliases()[a]; ok {
		a = both[0]
		if s == "" {
			s = both[1]
		}
	}
	if a == "" {
		return bySubarch(s)
	}
	if strings.Contains(a, "/") {
		if found, ok := byPlatformString(a); ok {
			return found.of(arch, s)
		}
		if s == "" {
			a, s, _ = strings.Cut(a, "/")
			if s == "" {
				return Arch{}, fmt.Errorf("%w %q: no subarch behind the slash", errUnknown, arch)
			}
		}
	}
	for _, f := range families() {
		if f.named(a) {
			if s == "" {
				return f.row(f.subarchs[0]), nil
			}
			return f.find(s)
		}
	}
	// "raspi4" alone is clear enough.
	if found, err := bySubarch(a); err == nil {
		if s == "" || s == a {
			return found, nil
		}
		return Arch{}, fmt.Errorf("%w: %q is a subarch of %s, and cannot have the subarch %q", errUnknown, arch, found.Name, subarch)
	}
	return Arch{}, fmt.Errorf("%w %q%s", errUnknown, arch, suggest(a, names(), "known are "+strings.Join(descs(), ", ")))
}

// of is the row of a subarch which a platform, given by the name platform, has; without a subarch it is a itself.
func (a Arch) of(platform, subarch string) (Arch, error) {
	if subarch == "" {
		return a, nil
	}
	found, err := Lookup(a.Name, subarch)
	if err == nil && found.Variant != a.Variant && strings.Contains(platform, "/v") {
		return Arch{}, fmt.Errorf("%w: %s is %s, not %s", errUnknown, found, found.PlatformString(), platform)
	}
	return found, err
}

// ByPlatform finds the default row of an OCI platform: the first one with this architecture and variant.
// An empty variant is that of the default subarch. Another one is an error.
func ByPlatform(architecture, variant string) (Arch, error) {
	for _, a := range All() {
		if a.Architecture == architecture && (variant == "" || a.Variant == variant) {
			return a, nil
		}
	}
	// amd64/v1 and arm/v8 (32-bit programs for an ARMv8) are what the default subarch is fit for.
	for _, a := range All() {
		if a.Architecture == architecture && (architecture == "amd64" && variant == "v1" || architecture == "arm" && variant == "v8") {
			return a, nil
		}
	}
	p := Arch{Architecture: architecture, Variant: variant}.PlatformString()
	return Arch{}, fmt.Errorf("%w: platform %s", errUnknown, p)
}

// Detect tells the architecture of a root from its programs, counted by their ELF headers: the one that
// most of them are for. Headers that the table does not have (firmware, BPF) are passed over unless there
// is nothing else. A header does not tell subarchs apart, so the default one is returned.
//
// No programs at all are an error, as are programs that the table does not have.
func Detect(counts map[ELF]int) (Arch, error) {
	best, most := Arch{}, 0
	for _, f := range families() { // the order of the table breaks a tie
		if n := counts[f.arch.ELF]; n > most {
			best, most = f.row(f.subarchs[0]), n
		}
	}
	if most > 0 {
		return best, nil
	}
	other := make([]string, 0, len(counts))
	for e, n := range counts {
		if n > 0 {
			other = append(other, e.String())
		}
	}
	if len(other) == 0 {
		return Arch{}, errNoPrograms
	}
	sort.Strings(other)
	return Arch{}, fmt.Errorf("%w: programs for %s", errUnknown, strings.Join(other, "; "))
}

// Doubt says what [Detect] cannot know of an architecture that it found, and that matters: which of several the
// programs need. It is empty where the default subarch is right whatever they need.
func (a Arch) Doubt() string {
	if a.ELF.Machine == elf.EM_ARM {
		return "the headers of its programs do not tell ARMv6 from ARMv7"
	}
	return ""
}

// Check compares what was declared with the programs that are there, counted by their ELF headers. A root
// without programs agrees with everything. The error names both.
func (a Arch) Check(counts map[ELF]int) error {
	found, err := Detect(counts)
	switch {
	case errors.Is(err, errNoPrograms):
		return nil
	case err != nil:
		return fmt.Errorf("declared as %s: %w", a, err)
	case found.Name != a.Name:
		return fmt.Errorf("%w: declared as %s, but its programs are for %s (%s)", errMismatch, a, found.Name, found.ELF)
	}
	return nil
}

// Host is the architecture this program was compiled for, and so one that this machine runs. It is the
// zero value on machines that the table does not have.
func Host() Arch {
	for _, f := range families() {
		if f.arch.Architecture == runtime.GOARCH {
			return f.row(f.subarchs[0])
		}
	}
	return Arch{}
}

func (f family) named(name string) bool {
	if f.arch.Name == name {
		return true
	}
	for _, alias := range f.aliases {
		if alias == name {
			return true
		}
	}
	return false
}

func (f family) find(name string) (Arch, error) {
	known := make([]string, 0, len(f.subarchs))
	for _, s := range f.subarchs {
		if s.name == name {
			return f.row(s), nil
		}
		if s.name+"-pure64" == name && f.arch.Name == "x86-64bit" {
			a := f.row(s)
			a.Subarch = name
			return a, nil
		}
		known = append(known, s.name)
	}
	return Arch{}, fmt.Errorf("%w: %s has no subarch %q%s", errUnknown, f.arch.Name, name,
		suggest(name, known, "known are "+strings.Join(known, ", ")))
}

func bySubarch(name string) (Arch, error) {
	var known []string
	for _, f := range families() {
		if a, err := f.find(name); err == nil {
			return a, nil
		}
		for _, s := range f.subarchs {
			known = append(known, s.name)
		}
	}
	return Arch{}, fmt.Errorf("%w: no subarch is named %q%s", errUnknown, name, suggest(name, known, ""))
}

// byPlatformString reads "linux/arm64/v8", "arm/v7", "linux/amd64".
func byPlatformString(s string) (Arch, bool) {
	parts := strings.Split(s, "/")
	if parts[0] == "linux" {
		parts = parts[1:]
	}
	if len(parts) == 0 || len(parts) > 2 {
		return Arch{}, false
	}
	variant := ""
	if len(parts) == 2 {
		if variant = parts[1]; variant == "" {
			return Arch{}, false
		}
	}
	a, err := ByPlatform(parts[0], variant)
	return a, err == nil
}

// suggest ends a message with the nearest names, or with the fallback where none is near.
func suggest(word string, known []string, fallback string) string {
	if s := nearest.DidYouMean(word, known); s != "" {
		return s
	}
	if fallback == "" {
		return ""
	}
	return ": " + fallback
}

func descs() []string {
	var out []string
	for _, f := range families() {
		out = append(out, f.arch.Name)
	}
	return out
}

func names() []string {
	out := descs()
	for _, f := range families() {
		out = append(out, f.aliases...)
		for _, s := range f.subarchs {
			out = append(out, s.name)
		}
	}
	for alias := range subarchAliases() {
		out = append(out, alias)
	}
	return out
}
