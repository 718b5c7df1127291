package qemu

import (
	"os"
	"path/filepath"
	"testing"
)

// TestRule holds the lines to those that Debian's qemu-user-binfmt registers.
func TestRule(t *testing.T) {
	for arch, want := range map[string]string{
		"arm64": `:n:M::\x7f\x45\x4c\x46\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00:` +
			`\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff:/q:OCF`,
		"arm": `:n:M::\x7f\x45\x4c\x46\x01\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x28\x00:` +
			`\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff:/q:OCF`,
		"riscv64": `:n:M::\x7f\x45\x4c\x46\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xf3\x00:` +
			`\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff:/q:OCF`,
	} {
		a, err := Lookup(arch, "")
		if err != nil {
			t.Fatal(err)
		}
		if got := Rule("n", a, "/q", FlagOpen+FlagCredentials+FlagFix); got != want {
			t.Errorf("%s:\n got %s\nwant %s", arch, got, want)
		}
	}
}

func TestRegistrations(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if all, err := Registrations(filepath.Join(dir, "none")); err != nil || all != nil {
		t.Errorf("a directory that is not there: %v, %v", all, err)
	}
	const magic = "magic 7f454c460201010000000000000000000200b700\nmask ffffffffffffff00fffffffffffffffffeffffff\n"
	write("status", "enabled\n")
	write("register", "")
	write("qemu-aarch64", "enabled\ninterpreter /usr/libexec/qemu binfmt/aarch64\nflags: POCF\noffset 0\n"+magic)
	write("off", "disabled\ninterpreter /x\nflags: \noffset 0\n"+magic)
	write("jar", "enabled\ninterpreter /usr/bin/jexec\nflags: \nextension .jar\n")
	write("far", "enabled\ninterpreter /x\nflags: \noffset 250\n"+magic)
	write("odd", "enabled\ninterpreter /x\nflags: \noffset minus\nmagic 7f45zz\nmask\n")
	all, err := Registrations(dir)
	if err != nil || len(all) != 5 {
		t.Fatalf("%v, %v", all, err)
	}
	arm64, _ := Lookup("arm64", "")
	arm, _ := Lookup("arm", "")
	for _, r := range all {
		want := r.Name == "qemu-aarch64" || r.Name == "odd" // two bytes that every program has
		if r.Runs(arm64) != want {
			t.Errorf("%s runs arm64: %v", r.Name, r.Runs(arm64))
		}
		if r.Name == "qemu-aarch64" && (r.Runs(arm) || !r.Fixed() || r.Interpreter != "/usr/libexec/qemu binfmt/aarch64") {
			t.Errorf("%+v", r)
		}
	}
	write("status", "disabled\n")
	if all, err := Registrations(dir); err != nil || len(all) != 0 {
		t.Errorf("switched off: %v, %v", all, err)
	}
}

func FuzzRegistration(f *testing.F) {
	f.Add("enabled\ninterpreter /x\nflags: F\noffset 0\nmagic 7f454c46\nmask ffffffff\n")
	f.Add("offset -1\nmagic 00\n")
	arm64, _ := Lookup("arm64", "")
	f.Fuzz(func(_ *testing.T, text string) {
		r := parseRegistration("x", text)
		r.enabled = true
		_ = r.Runs(arm64)
	})
}
