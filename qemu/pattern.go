package qemu

import "strings"

// Pattern names one architecture or several: see [ParsePattern]. Two patterns that mean the same are equal.
// The zero value matches nothing.
type Pattern struct {
	name    string // arch_desc
	variant string // OCI variant; of a platform only
	subarch string // of a row only
	of      Specificity
}

// Specificity says how much a pattern leaves open: the greater, the less.
type Specificity int

// What a pattern can name, from many architectures to one.
const (
	OfFamily   Specificity = iota + 1 // every subarch of an arch_desc: "arm-64bit"
	OfPlatform                        // every subarch with one OCI platform: "linux/arm/v7"
	OfSubarch                         // one arch_desc and subarch: "arm-64bit/raspi4"
)

// ParsePattern reads the name of an architecture, as [Lookup] does, as a name of everything that it fits:
//
//   - an arch_desc, an alias of it or an OCI platform without a variant ("arm-64bit", "arm64", "linux/arm64")
//     names all of its subarchs;
//   - an OCI platform with a variant, or an alias that says one ("linux/arm/v7", "armv7", "amd64/v3"), names all
//     subarchs that have this platform;
//   - a subarch, alone or behind its arch ("raspi4", "arm-64bit/raspi4", "x86-64-v3"), names itself.
//
// The error is that of [Lookup]: it offers the nearest names.
func ParsePattern(s string) (Pattern, error) {
	s = strings.ToLower(strings.TrimSpace(s))
	a, err := Lookup(s, "")
	if err != nil {
		return Pattern{}, err
	}
	_, platform := byPlatformString(s)
	switch {
	case variantAlias(s) || platform && hasVariant(s):
		p := Pattern{name: a.Name, variant: a.Variant, of: OfPlatform}
		if p.all() { // arm64 has one variant, and naming it says nothing
			return Pattern{name: a.Name, of: OfFamily}, nil
		}
		return p, nil
	case platform || familyOf(a).named(s):
		return Pattern{name: a.Name, of: OfFamily}, nil
	}
	return Pattern{name: a.Name, subarch: a.Subarch, of: OfSubarch}, nil
}

// variantAlias reports whether an alias of a whole arch_desc, or of one of its subarchs, says a variant as
// container tools understand it.
func variantAlias(s string) bool {
	switch s {
	case "armv6", "armv6j", "armv6l", "armv7", "armv7a", "armv7l", "armhf":
		return true
	}
	return false
}

// hasVariant tells "linux/arm/v7" and "arm/v7" from "linux/arm" and "arm".
func hasVariant(platform string) bool {
	return strings.Contains(strings.TrimPrefix(platform, "linux/"), "/")
}

func familyOf(a Arch) family {
	for _, f := range families() {
		if f.arch.Name == a.Name {
			return f
		}
	}
	return family{}
}

// all reports whether every subarch of the arch_desc matches.
func (p Pattern) all() bool {
	for _, a := range All() {
		if a.Name == p.name && !p.Match(a) {
			return false
		}
	}
	return true
}

// Match reports whether the pattern names the architecture. The zero Arch is named by none.
func (p Pattern) Match(a Arch) bool {
	if a.IsZero() || a.Name != p.name {
		return false
	}
	switch p.of {
	case OfSubarch:
		return a.Subarch == p.subarch
	case OfPlatform:
		return a.Variant == p.variant
	}
	return p.of == OfFamily
}

// Specificity says how much the pattern leaves open. Of two patterns that match one architecture and are not
// equal, one is more specific.
func (p Pattern) Specificity() Specificity { return p.of }

// String is a name that [ParsePattern] reads as the same pattern: "arm-64bit", "linux/arm/v7", "arm-64bit/raspi4".
func (p Pattern) String() string {
	switch p.of {
	case OfSubarch:
		return p.name + "/" + p.subarch
	case OfPlatform:
		a := Arch{Architecture: familyOf(Arch{Name: p.name}).arch.Architecture, Variant: p.variant}
		if a.Variant == "" {
			a.Variant = "v1" // amd64 without a variant is every amd64's least
		}
		return a.PlatformString()
	case OfFamily:
		return p.name
	}
	return "nothing"
}
