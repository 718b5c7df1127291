package qemu

import (
	"errors"
	"strings"
	"testing"
)

func TestPattern(t *testing.T) {
	for _, c := range []struct {
		pattern, want string // how it is written by xtoo
		of            Specificity
		match, not    string // architectures, separated by spaces
	}{
		{"arm-64bit", "arm-64bit", OfFamily, "arm-64bit/raspi4 arm-64bit/raspi3_64 arm-64bit/arm64_generic", "arm-32bit/raspi3 x86-64bit/generic_64"},
		{"ARM64", "arm-64bit", OfFamily, "arm-64bit/raspi4", "arm-32bit/raspi2"},
		{"aarch64", "arm-64bit", OfFamily, "arm-64bit/raspi4", ""},
		{"linux/arm64", "arm-64bit", OfFamily, "arm-64bit/raspi4 arm-64bit/raspi3_64", ""},
		{"linux/arm64/v8", "arm-64bit", OfFamily, "arm-64bit/raspi4 arm-64bit/raspi3_64", ""}, // there is no other variant
		{"armv8", "arm-64bit", OfFamily, "arm-64bit/raspi4", "arm-32bit/armv7a_hardfp"},
		{"arm", "arm-32bit", OfFamily, "arm-32bit/raspi arm-32bit/raspi2", "arm-64bit/raspi4"},
		{"linux/arm", "arm-32bit", OfFamily, "arm-32bit/raspi arm-32bit/raspi2", ""},
		{"linux/arm/v7", "linux/arm/v7", OfPlatform, "arm-32bit/raspi2 arm-32bit/armv7a_hardfp", "arm-32bit/raspi"},
		{"armv7", "linux/arm/v7", OfPlatform, "arm-32bit/raspi2", "arm-32bit/raspi"},
		{"armhf", "linux/arm/v7", OfPlatform, "arm-32bit/raspi2", "arm-32bit/raspi"},
		{"armv6", "linux/arm/v6", OfPlatform, "arm-32bit/raspi arm-32bit/armv6j_hardfp", "arm-32bit/raspi2"},
		{"arm/v6", "linux/arm/v6", OfPlatform, "arm-32bit/raspi", "arm-32bit/raspi2"},
		{"amd64/v3", "linux/amd64/v3", OfPlatform, "x86-64bit/generic_64-v3 x86-64bit/intel64-haswell", "x86-64bit/generic_64 x86-64bit/amd64-zen4"},
		{"linux/amd64/v1", "linux/amd64/v1", OfPlatform, "x86-64bit/generic_64 x86-64bit/amd64-k8", "x86-64bit/generic_64-v2"},
		{"linux/amd64", "x86-64bit", OfFamily, "x86-64bit/generic_64 x86-64bit/generic_64-v3", "x86-32bit/i686"},
		{"x86_64", "x86-64bit", OfFamily, "x86-64bit/generic_64-v3", ""},
		{"x86-64-v3", "x86-64bit/generic_64-v3", OfSubarch, "x86-64bit/generic_64-v3", "x86-64bit/intel64-haswell x86-64bit/generic_64"},
		{"raspi4", "arm-64bit/raspi4", OfSubarch, "arm-64bit/raspi4", "arm-64bit/raspi3_64"},
		{" arm-64bit/raspi4 ", "arm-64bit/raspi4", OfSubarch, "arm-64bit/raspi4", "arm-64bit/arm64_generic"},
		{"arm64/raspi4", "arm-64bit/raspi4", OfSubarch, "arm-64bit/raspi4", "arm-64bit/arm64_generic"},
		{"arm-64bit/arm64_generic", "arm-64bit/arm64_generic", OfSubarch, "arm-64bit/arm64_generic", "arm-64bit/raspi4"},
		{"x86-64bit/intel64-skylake-pure64", "x86-64bit/intel64-skylake-pure64", OfSubarch, "x86-64bit/intel64-skylake-pure64", "x86-64bit/intel64-skylake"},
		{"386", "x86-32bit", OfFamily, "x86-32bit/i686 x86-32bit/generic_32", "x86-64bit/generic_64"},
		{"i686", "x86-32bit/i686", OfSubarch, "x86-32bit/i686", "x86-32bit/generic_32"},
		{"linux/riscv64", "riscv-64bit", OfFamily, "riscv-64bit/sifive-fu740", ""},
	} {
		p, err := ParsePattern(c.pattern)
		if err != nil {
			t.Errorf("%q: %v", c.pattern, err)
			continue
		}
		if p.String() != c.want || p.Specificity() != c.of {
			t.Errorf("%q is %s (%d), want %s (%d)", c.pattern, p, p.Specificity(), c.want, c.of)
		}
		if again, err := ParsePattern(p.String()); err != nil || again != p {
			t.Errorf("%q: %s reads as %+v, %v; want %+v", c.pattern, p, again, err, p)
		}
		for _, names := range []struct {
			list string
			want bool
		}{{c.match, true}, {c.not, false}} {
			for _, name := range strings.Fields(names.list) {
				a, err := Lookup(name, "")
				if err != nil {
					t.Fatal(err)
				}
				if got := p.Match(a); got != names.want {
					t.Errorf("%q matches %s: %v", c.pattern, a, got)
				}
			}
		}
		if p.Match(Arch{}) {
			t.Errorf("%q matches what is not known", c.pattern)
		}
	}
	if (Pattern{}).Match(All()[0]) || (Pattern{}).Match(Arch{}) {
		t.Error("the zero pattern matches")
	}
}

// TestPatternNames: every name that Lookup understands is a pattern of what it finds.
func TestPatternNames(t *testing.T) {
	for _, name := range names() {
		a, err := Lookup(name, "")
		if err != nil {
			t.Fatal(err)
		}
		p, err := ParsePattern(name)
		if err != nil || !p.Match(a) {
			t.Errorf("%q: %v, %v does not match %s", name, p, err, a)
		}
	}
	for _, a := range All() {
		for _, name := range []string{a.String(), a.PlatformString(), a.Name, a.Subarch} {
			if p, err := ParsePattern(name); err != nil || !p.Match(a) {
				t.Errorf("%q: %v, %v does not match %s", name, p, err, a)
			}
		}
	}
}

func TestPatternErrors(t *testing.T) {
	for _, c := range []struct{ pattern, want string }{
		{"arm-46bit", `did you mean "arm-64bit"?`},
		{"arm-64bit/raspi5", `did you mean "raspi4"?`},
		{"raspy4", `did you mean "raspi4"?`},
		{"linux/arm/v9", "unknown architecture"},
		{"linux/s390x", "unknown architecture"},
		{"", "no name given"},
		{" ", "no name given"},
		{"/", "unknown architecture"},
		{"vax", "known are x86-64bit"},
	} {
		p, err := ParsePattern(c.pattern)
		if !errors.Is(err, errUnknown) || !strings.Contains(err.Error(), c.want) || p != (Pattern{}) {
			t.Errorf("%q: %v, %v, want %s", c.pattern, p, err, c.want)
		}
	}
}
