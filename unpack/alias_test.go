package unpack

import (
	"bytes"
	"context"
	"slices"
	"testing"

	"xtoo/internal/testutil"
)

// TestExcludeThroughLinks: patterns are for paths as people write them, and those lead through links.
func TestExcludeThroughLinks(t *testing.T) {
	dir, link := testutil.Dir, testutil.Symlink
	file := func(name string) testutil.Member { return testutil.File(name, "") }
	usr := []testutil.Member{dir("./usr/"), dir("./usr/lib/"), dir("./usr/lib/modules/"), file("./usr/lib/modules/5.18"), file("./usr/lib/keep")}
	for _, c := range []struct {
		name    string
		members []testutil.Member
		exclude []string
		want    []string
		late    []string
		unused  []string
	}{
		{"relative link", append([]testutil.Member{link("./lib", "usr/lib")}, usr...), []string{"/lib/modules/*"},
			[]string{"./lib", "./usr/", "./usr/lib/", "./usr/lib/modules/", "./usr/lib/keep"}, nil, nil},
		{"absolute link", append([]testutil.Member{link("./lib", "/usr/lib")}, usr...), []string{"/lib/modules"},
			[]string{"./lib", "./usr/", "./usr/lib/", "./usr/lib/keep"}, nil, nil},
		{"a link to a link", append([]testutil.Member{link("./l", "lib"), link("./lib", "usr/lib")}, usr...), []string{"/l/modules"},
			[]string{"./l", "./lib", "./usr/", "./usr/lib/", "./usr/lib/keep"}, nil, nil},
		{"a link to a link, the other way round", append([]testutil.Member{link("./lib", "usr/lib"), link("./m", "lib")}, usr...), []string{"/m/modules"},
			[]string{"./lib", "./m", "./usr/", "./usr/lib/", "./usr/lib/keep"}, nil, nil},
		{"dots", append([]testutil.Member{link("./lib", "../../usr/./lib")}, usr...), []string{"/lib/modules"},
			[]string{"./lib", "./usr/", "./usr/lib/", "./usr/lib/keep"}, nil, nil},
		{"the link itself", append([]testutil.Member{link("./lib", "usr/lib")}, usr...), []string{"/lib"},
			[]string{"./usr/", "./usr/lib/", "./usr/lib/modules/", "./usr/lib/modules/5.18", "./usr/lib/keep"}, nil, nil},
		{"nothing there", []testutil.Member{link("./lib", "usr/lib")}, []string{"/lib/modules/*"},
			[]string{"./lib"}, nil, []string{"/lib/modules/*"}},
		{"a link behind its target", append(slices.Clone(usr), link("./lib", "usr/lib")), []string{"/lib/modules/*"},
			[]string{"./usr/", "./usr/lib/", "./usr/lib/modules/", "./usr/lib/modules/5.18", "./usr/lib/keep", "./lib"},
			[]string{"/usr/lib/modules/*"}, []string{"/lib/modules/*"}},
		{"a loop", []testutil.Member{link("./a", "b"), link("./b", "a"), file("./c")}, []string{"/a/x", "/b/y"},
			[]string{"./a", "./b", "./c"}, nil, []string{"/a/x", "/b/y"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out bytes.Buffer
			in := bytes.NewReader(testutil.Tar(t, c.members...))
			sum, err := Copy(context.Background(), &out, in, CopyOptions{Exclude: c.exclude})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, m := range testutil.ReadTar(t, out.Bytes()) {
				got = append(got, m.Name)
			}
			if !slices.Equal(got, c.want) || !slices.Equal(sum.LateExcludes, c.late) || !slices.Equal(sum.UnusedExcludes, c.unused) {
				t.Errorf("have %q, late %q, unused %q\nwant %q, late %q, unused %q",
					got, sum.LateExcludes, sum.UnusedExcludes, c.want, c.late, c.unused)
			}
		})
	}
}
