package qemu

import (
	"debug/elf"
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/sylabs/sif/v2/pkg/sif"
)

func TestLookup(t *testing.T) {
	for _, c := range []struct {
		arch, subarch      string
		want, platform     string
		chost, uname, code string
	}{
		{"x86-64bit", "generic_64", "x86-64bit/generic_64", "linux/amd64", "x86_64-pc-linux-gnu", "x86_64", "02"},
		{"x86-64bit", "", "x86-64bit/generic_64", "linux/amd64", "x86_64-pc-linux-gnu", "x86_64", "02"},
		{"amd64", "", "x86-64bit/generic_64", "linux/amd64", "x86_64-pc-linux-gnu", "x86_64", "02"},
		{"x86_64", "intel64-haswell", "x86-64bit/intel64-haswell", "linux/amd64/v3", "x86_64-pc-linux-gnu", "x86_64", "02"},
		{"x86-64bit", "intel64-skylake-pure64", "x86-64bit/intel64-skylake-pure64", "linux/amd64/v3", "x86_64-pc-linux-gnu", "x86_64", "02"},
		{"x86-64bit", "amd64-bulldozer", "x86-64bit/amd64-bulldozer", "linux/amd64/v2", "x86_64-pc-linux-gnu", "x86_64", "02"},
		{"x86-64bit", "amd64-k10", "x86-64bit/amd64-k10", "linux/amd64", "x86_64-pc-linux-gnu", "x86_64", "02"},
		{"x86-64bit", "intel64-broadwell-celeron-3215u", "x86-64bit/intel64-broadwell-celeron-3215u", "linux/amd64/v2", "x86_64-pc-linux-gnu", "x86_64", "02"},
		{"x86-64-v3", "", "x86-64bit/generic_64-v3", "linux/amd64/v3", "x86_64-pc-linux-gnu", "x86_64", "02"},
		{"386", "", "x86-32bit/generic_32", "linux/386", "i686-pc-linux-gnu", "i686", "01"},
		{"i686", "", "x86-32bit/i686", "linux/386", "i686-pc-linux-gnu", "i686", "01"},
		{"x86-32bit", "atom_32", "x86-32bit/atom_32", "linux/386", "i686-pc-linux-gnu", "i686", "01"},
		{"arm64", "", "arm-64bit/arm64_generic", "linux/arm64/v8", "aarch64-unknown-linux-gnu", "aarch64", "04"},
		{"AArch64", "Raspi4", "arm-64bit/raspi4", "linux/arm64/v8", "aarch64-unknown-linux-gnu", "aarch64", "04"},
		{"arm-64bit/raspi3_64", "", "arm-64bit/raspi3_64", "linux/arm64/v8", "aarch64-unknown-linux-gnu", "aarch64", "04"},
		{"linux/arm64/v8", "", "arm-64bit/arm64_generic", "linux/arm64/v8", "aarch64-unknown-linux-gnu", "aarch64", "04"},
		{"armv7", "", "arm-32bit/armv7a_hardfp", "linux/arm/v7", "armv7a-hardfloat-linux-gnueabihf", "armv7l", "03"},
		{"armhf", "", "arm-32bit/armv7a_hardfp", "linux/arm/v7", "armv7a-hardfloat-linux-gnueabihf", "armv7l", "03"},
		{"arm-32bit", "raspi2", "arm-32bit/raspi2", "linux/arm/v7", "armv7a-hardfloat-linux-gnueabihf", "armv7l", "03"},
		{"arm-32bit", "raspi", "arm-32bit/raspi", "linux/arm/v6", "armv6j-hardfloat-linux-gnueabihf", "armv6l", "03"},
		{"linux/arm/v7", "raspi2", "arm-32bit/raspi2", "linux/arm/v7", "armv7a-hardfloat-linux-gnueabihf", "armv7l", "03"},
		{"linux/arm64", "raspi4", "arm-64bit/raspi4", "linux/arm64/v8", "aarch64-unknown-linux-gnu", "aarch64", "04"},
		{"arm/v6", "", "arm-32bit/armv6j_hardfp", "linux/arm/v6", "armv6j-hardfloat-linux-gnueabihf", "armv6l", "03"},
		{"armv6", "", "arm-32bit/armv6j_hardfp", "linux/arm/v6", "armv6j-hardfloat-linux-gnueabihf", "armv6l", "03"},
		{"riscv64", "", "riscv-64bit/sifive-fu740", "linux/riscv64", "riscv64-unknown-linux-gnu", "riscv64", "12"},
		{"", "raspi4", "arm-64bit/raspi4", "linux/arm64/v8", "aarch64-unknown-linux-gnu", "aarch64", "04"},
		{"raspi4", "", "arm-64bit/raspi4", "linux/arm64/v8", "aarch64-unknown-linux-gnu", "aarch64", "04"},
		{"raspi4", "raspi4", "arm-64bit/raspi4", "linux/arm64/v8", "aarch64-unknown-linux-gnu", "aarch64", "04"},
	} {
		a, err := Lookup(c.arch, c.subarch)
		if err != nil {
			t.Errorf("Lookup(%q, %q): %v", c.arch, c.subarch, err)
			continue
		}
		if a.String() != c.want || a.PlatformString() != c.platform || a.CHOST != c.chost || a.Uname != c.uname || a.SIF != c.code {
			t.Errorf("Lookup(%q, %q) = %+v, want %+v", c.arch, c.subarch, a, c)
		}
		if p := a.Platform(); p.OS != "linux" || p.Architecture != a.Architecture || p.Variant != a.Variant {
			t.Errorf("%s: platform %+v", a, p)
		}
	}
}

func TestLookupErrors(t *testing.T) {
	for _, c := range []struct{ arch, subarch, want string }{
		{"x86-64bits", "", `did you mean "x86-64bit"?`},
		{"arm-64bit", "raspi5", `did you mean "raspi4"?`},
		{"arm64", "x", "known are arm64_generic, raspi3_64, raspi4"},
		{"vax", "", "known are x86-64bit, x86-32bit, arm-64bit, arm-32bit, riscv-64bit"},
		{"aarch46", "", `did you mean "aarch64"?`},
		{"", "raspy4", `did you mean "raspi4"`},
		{"", "", "no name given"},
		{"linux/s390x", "", "unknown architecture"},
		{"a/b/c/d", "", "unknown architecture"},
		{"arm-64bit/", "", "no subarch behind the slash"},
		{"amd64/", "", "no subarch behind the slash"},
		{"linux/arm/v7", "raspi", "arm-32bit/raspi is linux/arm/v6, not linux/arm/v7"},
		{"linux/arm/v7", "raspi4", "has no subarch"},
		{"/", "", "unknown architecture"},
		{"raspi4", "generic_64", `"raspi4" is a subarch of arm-64bit, and cannot have the subarch "generic_64"`},
	} {
		_, err := Lookup(c.arch, c.subarch)
		if !errors.Is(err, errUnknown) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("Lookup(%q, %q): %v, want %s", c.arch, c.subarch, err, c.want)
		}
	}
}

// TestTable holds the rows to what other tools say.
func TestTable(t *testing.T) {
	seen := map[string]bool{}
	for _, a := range All() {
		if seen[a.Subarch] {
			t.Errorf("%s: the subarch is there twice; Lookup of a subarch alone would be ambiguous", a)
		}
		seen[a.Subarch] = true
		got, err := Lookup(a.Name, a.Subarch)
		if err != nil || got != a {
			t.Errorf("Lookup(%s) = %v, %v", a, got, err)
		}
		if a.CHOST == "" || a.Uname == "" || a.Emulator == "" || a.Architecture == "" || a.SIF == "" {
			t.Errorf("%s: incomplete: %+v", a, a)
		}
		if !strings.HasPrefix(a.CHOST, strings.TrimSuffix(a.Uname, "l")) {
			t.Errorf("%s: CHOST %s does not go with uname %s", a, a.CHOST, a.Uname)
		}
		// The SIF library maps Go's names to codes; ask it through an image made in memory.
		if want := sifCode(t, a.Architecture); want != a.SIF {
			t.Errorf("%s: SIF code %s, the sif library has %s", a, a.SIF, want)
		}
	}
	for _, f := range families() {
		if f.subarchs[0].name != f.arch.Subarch {
			t.Errorf("%s: the default subarch does not come first", f.arch.Name)
		}
		for _, alias := range f.aliases {
			if a, err := Lookup(alias, ""); err != nil || a.Name != f.arch.Name {
				t.Errorf("alias %s of %s finds %v, %v", alias, f.arch.Name, a, err)
			}
		}
	}
}

// sifCode makes a SIF in memory with a partition for the architecture and reads the code out of its header:
// three bytes at offset 42 (launch script 32, magic 10, version 3: arch follows at 45).
func sifCode(t *testing.T, goarch string) string {
	t.Helper()
	di, err := sif.NewDescriptorInput(sif.DataPartition, strings.NewReader("x"),
		sif.OptPartitionMetadata(sif.FsSquash, sif.PartPrimSys, goarch))
	if err != nil {
		t.Fatal(err)
	}
	buf := sif.NewBuffer(nil)
	img, err := sif.CreateContainer(buf, sif.OptCreateDeterministic(), sif.OptCreateWithDescriptors(di))
	if err != nil {
		t.Fatal(err)
	}
	if got := img.PrimaryArch(); got != goarch {
		t.Errorf("sif library: %s became %s", goarch, got)
	}
	b := buf.Bytes()
	return strings.TrimRight(string(b[45:48]), "\x00")
}

func TestDetect(t *testing.T) {
	le := elf.ELFDATA2LSB
	x64, x32 := ELF{elf.EM_X86_64, elf.ELFCLASS64, le}, ELF{elf.EM_386, elf.ELFCLASS32, le}
	arm := ELF{elf.EM_ARM, elf.ELFCLASS32, le}
	bpf := ELF{elf.EM_BPF, elf.ELFCLASS64, le}
	x32abi := ELF{elf.EM_X86_64, elf.ELFCLASS32, le}
	for _, c := range []struct {
		name   string
		counts map[ELF]int
		want   string
		is     error
	}{
		{"multilib", map[ELF]int{x64: 900, x32: 300}, "x86-64bit/generic_64", nil},
		{"32-bit with a little 64-bit firmware", map[ELF]int{x64: 3, x32: 300}, "x86-32bit/generic_32", nil},
		{"tie", map[ELF]int{x64: 3, x32: 3}, "x86-64bit/generic_64", nil},
		{"arm among bpf", map[ELF]int{arm: 3, bpf: 30}, "arm-32bit/armv7a_hardfp", nil},
		{"nothing", nil, "unknown", errNoPrograms},
		{"zero", map[ELF]int{x64: 0}, "unknown", errNoPrograms},
		{"x32 is not in the table", map[ELF]int{x32abi: 3, bpf: 1}, "unknown", errUnknown},
	} {
		got, err := Detect(c.counts)
		if got.String() != c.want || !errors.Is(err, c.is) {
			t.Errorf("%s: %s, %v", c.name, got, err)
		}
	}

	for name, doubt := range map[string]bool{"arm": true, "arm64": false, "amd64": false} {
		if a, _ := Lookup(name, ""); (a.Doubt() != "") != doubt {
			t.Errorf("%s: doubt %q", name, a.Doubt())
		}
	}

	pi, _ := Lookup("arm-64bit", "raspi4")
	if err := pi.Check(map[ELF]int{pi.ELF: 3}); err != nil {
		t.Error(err)
	}
	if err := pi.Check(nil); err != nil {
		t.Error(err)
	}
	err := pi.Check(map[ELF]int{x64: 3})
	if !errors.Is(err, errMismatch) || !strings.Contains(err.Error(), "arm-64bit/raspi4") || !strings.Contains(err.Error(), "x86-64bit") {
		t.Errorf("mismatch: %v", err)
	}
	if err := pi.Check(map[ELF]int{bpf: 3}); !errors.Is(err, errUnknown) || !strings.Contains(err.Error(), "EM_BPF, 64-bit, little-endian") {
		t.Errorf("unknown programs: %v", err)
	}
	if a, err := Detect(map[ELF]int{arm: 1}); err != nil || a.Name != "arm-32bit" {
		t.Error(a, err)
	}
	if _, err := Detect(map[ELF]int{{elf.EM_AARCH64, elf.ELFCLASS64, elf.ELFDATA2MSB}: 1}); !errors.Is(err, errUnknown) {
		t.Error("big-endian aarch64 was taken for arm-64bit")
	}
}

func TestHostAndPlatform(t *testing.T) {
	if h := Host(); h.Architecture != runtime.GOARCH && !h.IsZero() {
		t.Errorf("host %v on %s", h, runtime.GOARCH)
	}
	for _, c := range []struct{ arch, variant, want string }{
		{"amd64", "", "x86-64bit/generic_64"}, {"amd64", "v1", "x86-64bit/generic_64"}, {"amd64", "v3", "x86-64bit/generic_64-v3"},
		{"arm", "", "arm-32bit/armv7a_hardfp"}, {"arm", "v6", "arm-32bit/armv6j_hardfp"}, {"arm64", "", "arm-64bit/arm64_generic"},
	} {
		if a, err := ByPlatform(c.arch, c.variant); err != nil || a.String() != c.want {
			t.Errorf("ByPlatform(%s, %s) = %s, %v", c.arch, c.variant, a, err)
		}
	}
	if _, err := ByPlatform("s390x", ""); !errors.Is(err, errUnknown) {
		t.Error(err)
	}
}
