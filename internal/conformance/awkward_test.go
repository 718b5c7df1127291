package conformance

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"xtoo/internal/testutil"
)

// awkward fills a directory with all that archives may say of files, and with what they have several ways to say.
func awkward(t *testing.T, root string) {
	t.Helper()
	source(t, root)
	in := func(name string) string { return filepath.Join(root, name) }
	err := errors.Join(awkwardNames(in), awkwardKinds(in), awkwardNumbers(in), awkwardAttributes(in), holes(in))
	if err != nil {
		t.Fatal(err)
	}
	testutil.Run(t, "setfacl", "-m", "u:1234:rwx,g:4000000:r,u:0:x,g:2:w", in("set"))
	testutil.Run(t, "setfacl", "-m", "d:u:1234:rwx,d:g::r,g:4321:rx,u:4321:r", in("d/deep"))
}

// awkwardNames: at the lengths where formats change, and with bytes that are text to nobody.
func awkwardNames(in func(string) string) error {
	errs := []error{os.MkdirAll(in("names"), 0o1777)}
	add := func(name string) { errs = append(errs, os.WriteFile(in(name), []byte(name), 0o644)) }
	for _, n := range []int{98, 99, 100, 101, 155, 156, 255} { // "./" comes before them
		add("names/" + strings.Repeat("m", n-len("names/")))
	}
	for _, n := range []int{99, 100, 101, 4000} {
		errs = append(errs, os.Symlink(strings.Repeat("t", n%2)+strings.Repeat("t/", n/2), in(fmt.Sprintf("names/to %d", n))))
	}
	long := strings.Repeat("n", 255)
	deep := "deep/" + long + "/" + long
	errs = append(errs, os.MkdirAll(in(deep), 0o700))
	add(deep + "/" + long)
	errs = append(errs, os.Link(in(deep+"/"+long), in("deep/link")))
	for _, name := range []string{"latin-\xe4\xf6\xfc", "new\nline \\t \"quote\" *?[a]", " spaces ", "=equals=\t", "-dash", "c:colon"} {
		add(name)
	}
	return errors.Join(append(errs, os.Symlink("targ\xffet\n", in("odd link")))...)
}

// awkwardKinds: devices, and several names of what is no regular file.
func awkwardKinds(in func(string) string) error {
	return errors.Join(
		os.MkdirAll(in("dev"), 0o755),
		unix.Mknod(in("dev/null"), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))),
		unix.Mknod(in("dev/sda"), unix.S_IFBLK|0o660, int(unix.Mkdev(259, 70000))),
		os.Link(in("d/symlink"), in("d/symlink too")),
		os.Link(in("fifo"), in("fifo too")),
		os.Link(in("dev/null"), in("dev/null too")),
	)
}

// awkwardNumbers: owners, modes and times.
func awkwardNumbers(in func(string) string) error {
	var errs []error
	for _, f := range []struct {
		name     string
		mode     uint32
		uid, gid int
		time     unix.Timespec
	}{
		{"set", 0o6755, 1234, 5678, unix.Timespec{Sec: 1, Nsec: 1}},
		{"largest", 0o600, 4294967294, 4294967294, unix.Timespec{Sec: 9999999999, Nsec: 999999999}},
		{"large", 0o600, 2097152, 2097151, unix.Timespec{Sec: 8589934592}},
		{"nobody", 0, 65534, 65534, unix.Timespec{Sec: 8589934591}},
		{"epoch", 0o644, 0, 0, unix.Timespec{}},
		{"early", 0o644, 0, 0, unix.Timespec{Sec: -86400}},
		{"fraction", 0o644, 0, 0, unix.Timespec{Sec: -2, Nsec: 250_000_000}},
	} {
		name := in(f.name)
		errs = append(errs, os.WriteFile(name, []byte(f.name), 0o600), os.Lchown(name, f.uid, f.gid), unix.Chmod(name, f.mode),
			unix.UtimesNanoAt(unix.AT_FDCWD, name, []unix.Timespec{f.time, f.time}, 0))
	}
	return errors.Join(append(errs, os.Lchown(in("odd link"), 3000000, 100))...)
}

// awkwardAttributes: of every namespace, with values and names that are no text.
func awkwardAttributes(in func(string) string) error {
	const capable = "\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	errs := []error{
		os.WriteFile(in("capable"), []byte("capable"), 0o755),
		os.MkdirAll(in("etc"), 0o755), // says who is meant where lists are of names
		os.WriteFile(in("etc/passwd"), []byte("root:x:0:0::/:/bin/sh\nbin:x:2:2::/:\n"), 0o644),
		os.WriteFile(in("etc/group"), []byte("root:x:0:\nbin:x:2:\n"), 0o644),
	}
	for _, a := range [][3]string{
		{"capable", "security.capability", capable},
		{"capable", "trusted.note", "t\x00\xff\n="},
		{"set", "user.empty", ""},
		{"set", "user.na=me %41 %3D \xc3\xbc", "x"},
		{"set", "user.large", strings.Repeat("large", 500)},
		{"d/deep", "user.of a directory", "="},
	} {
		errs = append(errs, unix.Setxattr(in(a[0]), a[1], []byte(a[2]), 0))
	}
	return errors.Join(errs...)
}

// holes: files of so many pieces that their maps take another form, that end in data or in a hole.
func holes(in func(string) string) error {
	errs := []error{os.MkdirAll(in("holes.d"), 0o755)}
	for i, pieces := range []int{0, 1, 3, 4, 5, 21, 26, 60} {
		f, err := os.Create(in("holes.d/" + string(rune('a'+i))))
		if err != nil {
			return err
		}
		for n := range pieces {
			_, err := f.WriteAt(bytes.Repeat([]byte{byte('0' + n)}, 5000), int64(n)*70_000)
			errs = append(errs, err)
		}
		if i%2 == 0 {
			errs = append(errs, f.Truncate(int64(pieces)*70_000+1<<20+3))
		}
		errs = append(errs, f.Close(), os.Chtimes(f.Name(), time.Unix(1, 0), time.Unix(1655337600, 0)))
	}
	return errors.Join(errs...)
}
