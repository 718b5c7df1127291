package chroot

import (
	"testing"

	"xtoo/qemu"
)

func TestEmulateX(t *testing.T) {
	eachTier(t, func(t *testing.T, h *Host) {
		for _, n := range []string{"amd64", "386", "arm64", "raspi2", "raspi", "riscv64"} {
			a, err := qemu.Lookup(n, "")
			if err != nil {
				t.Fatal(err)
			}
			e, err := h.Emulate(t.Context(), a, nil)
			t.Log(n, e, err, Hint(err))
		}
		t.Setenv(BinfmtVar, "host")
		a, _ := qemu.Lookup("arm64", "")
		e, err := h.Emulate(t.Context(), a, nil)
		t.Log(e, err, Hint(err))
	})
}
