package local

import (
	"slices"
	"strings"
	"testing"

	"xtoo/chroot"
	"xtoo/qemu"
)

func TestEmulatedEnvironment(t *testing.T) {
	a, err := qemu.Lookup("raspi", "")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name      string
		how       chroot.How
		env, want []string
	}{
		{"native", chroot.HowNative, []string{"A=1"}, []string{"A=1"}},
		{"32-bit", chroot.HowCompat, []string{"FEATURES=x"}, []string{"FEATURES=x"}},
		{"own", chroot.HowOwn, []string{"A=1"}, []string{"A=1", "QEMU_CPU=arm1176", "FEATURES=" + portageFeatures}},
		{"host", chroot.HowHost, nil, []string{"QEMU_CPU=arm1176", "FEATURES=" + portageFeatures}},
		{"placed", chroot.HowPlaced, nil, []string{"QEMU_CPU=arm1176", "FEATURES=" + portageFeatures}},
		{
			"the project's own count", chroot.HowOwn,
			[]string{"FEATURES=sandbox test", "QEMU_CPU=max", "XFEATURES=y"},
			[]string{"FEATURES=" + portageFeatures + " sandbox test", "QEMU_CPU=max", "XFEATURES=y"},
		},
	} {
		e := chroot.Emulation{Arch: a, How: c.how}
		if got := emulatedEnvironment(slices.Clone(c.env), e); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
		if text := emulationText(e); e.Emulated() != strings.Contains(text, portageFeatures) {
			t.Errorf("%s: %s", c.name, text)
		}
	}
}
