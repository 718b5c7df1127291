package sif

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sys/unix"
	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/interp"
	"mvdan.cc/sh/v3/syntax"

	"xtoo/internal/testutil"
)

// installScripts writes .singularity.d of an image below a directory, and makes the scripts look there. Of the
// image's /bin it has what bin names.
func installScripts(t *testing.T, img Image, shell string, bin map[string]string) string {
	t.Helper()
	root := t.TempDir()
	files, err := overlayFiles(img)
	if err != nil {
		t.Fatal(err)
	}
	here := strings.NewReplacer("#!/bin/sh", "#!"+shell, "/.singularity.d", root+"/.singularity.d", "/scif/apps", root+"/scif/apps", "/bin/", root+"/bin/", "kill -CONT 1", "echo continue")
	for _, f := range files {
		p := filepath.Join(root, f.name)
		switch {
		case f.target != "":
			err = os.Symlink(f.target, p)
		case strings.HasPrefix(f.data, "#!"):
			err = os.WriteFile(p, []byte(here.Replace(f.data)), 0o755)
		case f.mode == 0o644:
			err = os.WriteFile(p, []byte(f.data), 0o644)
		default:
			err = os.MkdirAll(p, 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Join(root, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range bin {
		p := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte("#!"+shell+"\n"+text+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

const awkward = "it's \"$HOME\" `id` $(id) \\ *\n second line; \t#"

func TestActions(t *testing.T) {
	say := "printf '<%s>' \"${0##*/}\" \"$@\""
	env := []string{"PATH=/usr/bin:/bin:/image", "NOTE=" + awkward, "KEEP=image", "EMPTY=image", "ODD-NAME=x", "LANG=C.UTF-8", "LANG=C", "noequals"}
	shells := map[string]string{"bin/bash": say, "bin/sh": say}
	for _, c := range []struct {
		name   string
		config v1.ImageConfig
		img    Image
		bin    map[string]string
		env    []string
		action string
		args   []string
		want   string
		code   int
	}{
		{name: "exec", action: "exec", args: []string{"printf", "[%s]", "a b", "$HOME", ""}, want: "[a b][$HOME][]"},
		{name: "exec fails", action: "exec", args: []string{"false"}, code: 1},
		{name: "environment", config: v1.ImageConfig{Env: env}, action: "exec", env: []string{"KEEP=mine", "EMPTY="},
			args: []string{"sh", "-c", `printf '%s|' "$PATH" "$NOTE" "$KEEP" "$EMPTY" "$LANG" "$PS1"`},
			want: "/usr/bin:/bin:/image|" + awkward + "|mine|image|C|Singularity> |"},
		{name: "prompt of Apptainer", action: "exec", env: []string{"APPTAINER_NAME=x"}, args: []string{"sh", "-c", `printf %s "$PS1"`}, want: "Apptainer> "},
		{name: "prompt of the image", action: "exec", img: Image{environment: "PS1='mine> '"}, args: []string{"sh", "-c", `printf %s "$PS1"`}, want: "mine> "},
		{name: "nothing leaks", action: "exec", args: []string{"sh", "-c", "set | grep -c ^_singularity"}, want: "0\n", code: 1},
		{name: "environment of the project", img: Image{environment: "export COLOUR='dark blue'"}, action: "exec", args: []string{"sh", "-c", `printf %s "$COLOUR"`}, want: "dark blue"},
		{name: "libraries", action: "exec", env: []string{"LD_LIBRARY_PATH=/a"}, args: []string{"sh", "-c", `printf %s "${LD_LIBRARY_PATH#/a:*/.singularity.d}"`}, want: "/libs"},

		{name: "run: command", config: v1.ImageConfig{Cmd: []string{"printf", "[%s]", awkward, "*"}}, action: "run", want: "[" + awkward + "][*]"},
		{name: "run: arguments for the command", config: v1.ImageConfig{Cmd: []string{"false"}}, action: "run", args: []string{"printf", "[%s]", "$A *"}, want: "[$A *]"},
		{name: "run: entry point", config: v1.ImageConfig{Entrypoint: []string{"printf", "[%s]", "it's"}}, action: "run", args: []string{"a b", "c"}, want: "[it's][a b][c]"},
		{name: "run: entry point and command", config: v1.ImageConfig{Entrypoint: []string{"printf", "[%s]"}, Cmd: []string{"d", "e f"}}, action: "run", want: "[d][e f]"},
		{name: "run: entry point and arguments", config: v1.ImageConfig{Entrypoint: []string{"printf", "[%s]"}, Cmd: []string{"d", "e f"}}, action: "run", args: []string{"x"}, want: "[x]"},
		{name: "run: nothing", bin: shells, action: "run", want: "<bash><--login>"},
		{name: "run: nothing, no bash", bin: map[string]string{"bin/sh": "echo sh"}, action: "run", want: "sh\n"},
		{name: "run: nothing, arguments", bin: shells, action: "run", args: []string{"printf", "[%s]", "x"}, want: "[x]"},
		{name: "run: init", config: v1.ImageConfig{Entrypoint: []string{"/sbin/init"}}, bin: shells, action: "run", want: "<bash><--login>"},
		{name: "run: own script", img: Image{runscript: "echo mine \"$@\""}, action: "run", args: []string{"x"}, want: "mine x\n"},
		{name: "run: app", bin: map[string]string{"scif/apps/foo/scif/runscript": say, "scif/apps/foo/scif/env/90-environment.sh": ""}, env: []string{"SINGULARITY_APPNAME=foo"}, action: "run", args: []string{"x"}, want: "<runscript><x>"},
		{name: "run: app that is not there", env: []string{"APPTAINER_APPNAME=foo"}, action: "run", code: 1},

		{name: "shell", bin: shells, action: "shell", args: []string{"-c", "x y"}, want: "<bash><--norc><-c><x y>"},
		{name: "shell: no bash", bin: map[string]string{"bin/sh": say}, action: "shell", args: []string{"-x"}, want: "<sh><-x>"},
		{name: "shell: another", bin: map[string]string{"bin/bash": "false"}, env: []string{"SINGULARITY_SHELL=/usr/bin/printf"}, action: "shell", args: []string{"zsh"}, want: "zsh"},
		{name: "shell: another that is not there", bin: shells, env: []string{"APPTAINER_SHELL=/nowhere/zsh"}, action: "shell", want: "<bash><--norc>"},

		{name: "start", action: "start", want: "continue\n"},
		{name: "start: init", config: v1.ImageConfig{Entrypoint: []string{"/bin/init", "a b"}}, bin: map[string]string{"bin/init": say}, action: "start", args: []string{"c"}, want: "continue\n<init><a b><c>"},
		{name: "start: own script", img: Image{startscript: "#!/bin/sh\necho started"}, action: "start", want: "continue\nstarted\n"},
		{name: "test", action: "test"},
		{name: "test: own script", img: Image{test: "echo tested \"$1\"; exit 7"}, action: "test", args: []string{"x"}, want: "tested x\n", code: 7},
		{name: "test: app that has none", bin: map[string]string{"scif/apps/foo/x": ""}, env: []string{"APPTAINER_APPNAME=foo"}, action: "test", code: 1},
	} {
		for _, shell := range []string{"dash", "bash"} {
			t.Run(c.name+" in "+shell, func(t *testing.T) {
				testutil.Need(t, shell)
				path, err := exec.LookPath(shell)
				if err != nil {
					t.Fatal(err)
				}
				if c.config.Env == nil {
					c.config.Env = []string{"X=1"}
				}
				c.img.Config.Config = c.config
				root := installScripts(t, c.img, path, c.bin)
				cmd := exec.Command(filepath.Join(root, "."+c.action), c.args...)
				if c.action == "start" {
					cmd.Path = filepath.Join(root, dirName, "actions/start")
				}
				cmd.Env = append([]string{"PATH=/usr/local/bin:/usr/bin:/bin"}, c.env...)
				var out, errs bytes.Buffer
				cmd.Stdout, cmd.Stderr = &out, &errs
				err = cmd.Run()
				if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
					t.Fatal(err)
				}
				if out.String() != c.want || cmd.ProcessState.ExitCode() != c.code {
					t.Errorf("exit code %d, output %q, want %d and %q\n%s", cmd.ProcessState.ExitCode(), out.String(), c.code, c.want, errs.String())
				}
			})
		}
	}
}

// Runtimes of today source the environment in an interpreter written in Go, the one used here.
func TestEnvironmentInInterpreter(t *testing.T) {
	img := Image{Config: v1.Image{Config: v1.ImageConfig{Env: []string{"PATH=/image", "NOTE=" + awkward, "KEEP=image"}}}}
	m := newMetadata(img)
	var b strings.Builder
	for _, f := range m.env {
		b.WriteString(f.data + "\n")
	}
	b.WriteString(`printf '%s|' "$PATH" "$NOTE" "$KEEP" "$PS1" "$LD_LIBRARY_PATH"`)
	prog, err := syntax.NewParser().Parse(strings.NewReader(b.String()), "env")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	r, err := interp.New(interp.StdIO(nil, &out, os.Stderr), interp.Env(listEnv("KEEP=mine", "APPTAINER_NAME=x")))
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Run(context.Background(), prog); err != nil {
		t.Fatal(err)
	}
	if want := "/image|" + awkward + "|mine|Apptainer> |/.singularity.d/libs|"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}

// Every script parses as POSIX sh.
func TestScriptsArePOSIX(t *testing.T) {
	configs := []v1.ImageConfig{{}, {Entrypoint: []string{"/sbin/init"}}, {Cmd: []string{awkward}, Env: []string{"A=" + awkward, "B-C=1"}, Entrypoint: []string{awkward}}}
	for _, c := range configs {
		files, err := overlayFiles(Image{Config: v1.Image{Config: c}})
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, f := range files {
			if f.mode != unix.S_IFREG|0o755 || f.data == "" {
				continue
			}
			n++
			if !strings.HasPrefix(f.data, "#!/bin/sh\n") {
				t.Errorf("%s begins with %.20q", f.name, f.data)
			}
			if _, err := syntax.NewParser(syntax.Variant(syntax.LangPOSIX)).Parse(strings.NewReader(f.data), f.name); err != nil {
				t.Error(err)
			}
		}
		if n < 12 {
			t.Errorf("only %d scripts", n)
		}
	}
}

func TestQuote(t *testing.T) {
	testutil.Need(t, "dash")
	for _, s := range []string{"", "a", "'", "''", awkward, "-n", "a\x00b", "\\", "\xff\xfe", "a\r\n"} {
		out, err := exec.Command("dash", "-c", "printf %s. "+quote(s)).Output()
		if want := strings.ReplaceAll(s, "\x00", "") + "."; err != nil || string(out) != want {
			t.Errorf("%q: %q, %v", s, out, err)
		}
	}
	for name, want := range map[string]bool{"": false, "A": true, "_": true, "a1": true, "1a": false, "a-b": false, "é": false, "[": false, "@": false, "`": false, "{": false, "z": true, "Z": true} {
		if isName(name) != want {
			t.Errorf("isName(%q) is %v", name, !want)
		}
	}
}

func TestOverlayIsSortedByDirectory(t *testing.T) {
	files, err := overlayFiles(Image{Config: v1.Image{Config: v1.ImageConfig{Env: []string{"A=b"}}}})
	if err != nil {
		t.Fatal(err)
	}
	var seen []string
	for _, f := range files {
		if dir := filepath.Dir(f.name); dir != "." && !slices.Contains(seen, dir) {
			t.Errorf("%s comes before its directory", f.name)
		}
		seen = append(seen, f.name)
	}
}

func listEnv(pairs ...string) expand.Environ { return expand.ListEnviron(pairs...) }
