package qemu

import "debug/elf"

// family is what all subarchs of one arch_desc have in common.
type family struct {
	arch     Arch // as for the default subarch; Subarch names it
	aliases  []string
	subarchs []subarch
}

// subarch is what differs from its family; empty fields mean: as the family has it.
type subarch struct {
	name, variant, chost, uname, cpu string
}

const (
	chostI486  = "i486-pc-linux-gnu"
	chostARMv6 = "armv6j-hardfloat-linux-gnueabihf"
)

// families is the table, in the order in which ties are broken and lists are printed.
//
// An amd64 variant (the x86-64 psABI's micro-architecture levels) stands only where the -march that Funtoo
// builds the subarch with demands every instruction of that level: bulldozer to steamroller have no AVX2,
// the Celeron among the broadwells has no AVX, but all of v2; btver1 stops at SSSE3.
func families() []family {
	return []family{
		{
			arch: Arch{
				Name: "x86-64bit", Subarch: "generic_64", Architecture: "amd64", SIF: "02",
				ELF:   ELF{elf.EM_X86_64, elf.ELFCLASS64, elf.ELFDATA2LSB},
				CHOST: "x86_64-pc-linux-gnu", Uname: "x86_64", Emulator: "qemu-x86_64",
				CPU: "max", // the default of older emulators has the first level only
			},
			aliases: []string{"amd64", "x86_64", "x86-64", "x64"},
			subarchs: []subarch{
				{name: "generic_64"},
				{name: "generic_64-v2", variant: "v2"},
				{name: "generic_64-v3", variant: "v3"},
				{name: "generic_64-v4", variant: "v4"},
				{name: "amd64-k8"}, {name: "amd64-k8+sse3"}, {name: "amd64-k10"},
				{name: "amd64-bobcat"}, {name: "btver1_64"},
				{name: "amd64-jaguar", variant: "v2"}, {name: "amd64-pumaplus", variant: "v2"},
				{name: "amd64-bulldozer", variant: "v2"}, {name: "amd64-piledriver", variant: "v2"},
				{name: "amd64-steamroller", variant: "v2"}, {name: "amd64-excavator", variant: "v3"},
				{name: "amd64-zen", variant: "v3"}, {name: "amd64-zen2", variant: "v3"},
				{name: "amd64-zen3", variant: "v3"}, {name: "amd64-zen4", variant: "v4"},
				{name: "atom_64"}, {name: "core2_64"}, {name: "nocona"},
				{name: "corei7", variant: "v2"},
				{name: "intel64-nehalem", variant: "v2"}, {name: "intel64-westmere", variant: "v2"},
				{name: "intel64-sandybridge", variant: "v2"}, {name: "intel64-ivybridge", variant: "v2"},
				{name: "intel64-silvermont", variant: "v2"}, {name: "intel64-goldmont", variant: "v2"},
				{name: "intel64-haswell", variant: "v3"}, {name: "intel64-broadwell", variant: "v3"},
				{name: "intel64-broadwell-celeron-3215u", variant: "v2"},
				{name: "intel64-skylake", variant: "v3"}, {name: "intel64-skylake-avx512", variant: "v4"},
			},
		},
		{
			arch: Arch{
				Name: "x86-32bit", Subarch: "generic_32", Architecture: "386", SIF: "01",
				ELF:   ELF{elf.EM_386, elf.ELFCLASS32, elf.ELFDATA2LSB},
				CHOST: "i686-pc-linux-gnu", Uname: "i686", Emulator: "qemu-i386", CPU: "max",
			},
			aliases: []string{"386", "i386", "x86"},
			subarchs: []subarch{
				{name: "generic_32"},
				{name: "i486", chost: chostI486, uname: "i486"}, {name: "i686"},
				{name: "athlon"}, {name: "athlon-xp"}, {name: "athlon-mp"}, {name: "atom_32"}, {name: "core2_32"},
				{name: "geode"}, {name: "k6", chost: "i586-pc-linux-gnu", uname: "i586"}, {name: "pentium3"}, {name: "pentium4"}, {name: "pentium-m"},
				{name: "prescott"}, {name: "amd64-k8_32"}, {name: "opteron_32"},
			},
		},
		{
			arch: Arch{
				Name: "arm-64bit", Subarch: "arm64_generic", Architecture: "arm64", Variant: "v8", SIF: "04",
				ELF:   ELF{elf.EM_AARCH64, elf.ELFCLASS64, elf.ELFDATA2LSB},
				CHOST: "aarch64-unknown-linux-gnu", Uname: "aarch64", Emulator: "qemu-aarch64", CPU: "cortex-a53",
			},
			aliases:  []string{"arm64", "aarch64", "armv8"},
			subarchs: []subarch{{name: "arm64_generic"}, {name: "raspi3_64"}, {name: "raspi4"}},
		},
		{
			arch: Arch{
				Name: "arm-32bit", Subarch: "armv7a_hardfp", Architecture: "arm", Variant: "v7", SIF: "03",
				ELF:   ELF{elf.EM_ARM, elf.ELFCLASS32, elf.ELFDATA2LSB},
				CHOST: "armv7a-hardfloat-linux-gnueabihf", Uname: "armv7l", Emulator: "qemu-arm", CPU: "cortex-a7",
			},
			aliases: []string{"arm", "armv7", "armv7a", "armv7l", "armhf"},
			subarchs: []subarch{
				{name: "armv7a_hardfp"}, {name: "armv7a_vfpv3_hardfp"}, {name: "armv7a_vfpv3d16_hardfp"},
				{name: "armv7a_neonvfpv4_hardfp"}, {name: "raspi2"}, {name: "raspi3"}, {name: "odroid-xu4"},
				{name: "armv6j_hardfp", variant: "v6", chost: chostARMv6, uname: "armv6l", cpu: "arm1176"},
				{name: "armv6j_vfp_hardfp", variant: "v6", chost: chostARMv6, uname: "armv6l", cpu: "arm1176"},
				{name: "raspi", variant: "v6", chost: chostARMv6, uname: "armv6l", cpu: "arm1176"},
			},
		},
		{
			arch: Arch{
				Name: "riscv-64bit", Subarch: "sifive-fu740", Architecture: "riscv64", SIF: "12",
				ELF:   ELF{elf.EM_RISCV, elf.ELFCLASS64, elf.ELFDATA2LSB},
				CHOST: "riscv64-unknown-linux-gnu", Uname: "riscv64", Emulator: "qemu-riscv64", CPU: "sifive-u54",
			},
			aliases:  []string{"riscv64", "riscv"},
			subarchs: []subarch{{name: "sifive-fu740"}, {name: "sifive-fu540"}},
		},
	}
}

// subarchAliases are names that mean an arch_desc and a subarch at once.
func subarchAliases() map[string][2]string {
	return map[string][2]string{
		"x86-64-v2": {"x86-64bit", "generic_64-v2"},
		"x86-64-v3": {"x86-64bit", "generic_64-v3"},
		"x86-64-v4": {"x86-64bit", "generic_64-v4"},
		"armv6":     {"arm-32bit", "armv6j_hardfp"},
		"armv6l":    {"arm-32bit", "armv6j_hardfp"},
		"armv6j":    {"arm-32bit", "armv6j_hardfp"},
	}
}

// row makes the whole row of one subarch.
func (f family) row(s subarch) Arch {
	a := f.arch
	a.Subarch = s.name
	for _, o := range []struct {
		to   *string
		from string
	}{{&a.Variant, s.variant}, {&a.CHOST, s.chost}, {&a.Uname, s.uname}, {&a.CPU, s.cpu}} {
		if o.from != "" {
			*o.to = o.from
		}
	}
	return a
}

// Families returns the default row of every arch_desc, in the order of the table.
func Families() []Arch {
	var out []Arch
	for _, f := range families() {
		out = append(out, f.row(f.subarchs[0]))
	}
	return out
}

// All returns every row of the table; the default subarch of an arch_desc comes first within it.
func All() []Arch {
	var out []Arch
	for _, f := range families() {
		for _, s := range f.subarchs {
			out = append(out, f.row(s))
		}
	}
	return out
}
