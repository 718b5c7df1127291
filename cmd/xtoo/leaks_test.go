package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"xtoo/internal/testutil"
)

// secretsConfig shows a secret in every way that a script has, and keeps what it sees of processes. Its crypt(3) form comes as
// another secret, and goes where it belongs.
const secretsConfig = `
stage3: {file: $STAGE3}
values:
  pw: {prompt: Root password, secret: true, confirm: true, min: 8}
  crypted: {secret: true}
  hostname: box
image: {labels: {host: "{{ .values.hostname }}"}, entrypoint: [/bin/sh]}
scripts:
  - name: shows
    values: [pw, hostname]
    run: |
      cat "$XTOO_SECRETS/pw"; echo
      set -x
      pw=$(cat "$XTOO_SECRETS/pw")
      echo "$pw" "x${pw}y"
      echo "$pw" >&2
      set +x
      env
      for f in /proc/[0-9]*/environ /proc/[0-9]*/cmdline /proc/[0-9]*/task/*/environ; do cat "$f" >> /seen || true; done
      env >> /seen
      echo "$pw" > /tmp/pw
      echo "$pw" > /run/pw
      mkdir -p /dev/shm; echo "$pw" > /dev/shm/pw
  - name: sets
    values: [crypted]
    run: |
      mkdir -p /etc
      echo "root:$(cat "$XTOO_SECRETS/crypted"):19000::::::" >> /etc/shadow
  - name: fails
    values: [pw]
    run: |
      cat "$XTOO_SECRETS/pw" >&2
      if [ "$FAIL" = yes ]; then exit 1; fi
    env: {FAIL: "{{ .env.FAIL }}"}
`

// theSecret, and what openssl passwd -6 -salt xtoo makes of it.
const (
	theSecret = "correct horse/battery'staple"
	theCrypt  = "$6$xtoo$gcTX8rszAvi1r7D.iVncqWgQ.tXQE/GMVGrSxhy0UeuvPcSq5J30alxhyxlZnqD1KZ1ipkJYU9i0tfLgbGZoJ0"
)

// TestSecretsLeaveNoTrace looks for a secret in all that a build leaves: blobs, layer directories, configs, records, logs, SIF
// files, what is printed, answers; and, in the node, in what any process was started with.
func TestSecretsLeaveNoTrace(t *testing.T) {
	testutil.Long(t, "it builds in all ways that a secret can be given, and reads whole stores")
	for name, give := range map[string]func(b *bench, dir string) (args, env []string){
		"file": func(_ *bench, dir string) ([]string, []string) {
			path := filepath.Join(dir, "pw")
			testutil.Must(t, os.WriteFile(path, []byte(theSecret+"\n"), 0o600))
			return []string{"--secret", "pw=file:" + path}, nil
		},
		"env": func(*bench, string) ([]string, []string) {
			return []string{"--secret", "top:pw=env:ROOT_PW"}, []string{"ROOT_PW=" + theSecret}
		},
		"variable": func(*bench, string) ([]string, []string) { return nil, []string{"XTOO_VALUE_PW=" + theSecret} },
		"values": func(_ *bench, dir string) ([]string, []string) {
			path := filepath.Join(dir, "values.yaml")
			testutil.Must(t, os.WriteFile(path, []byte("pw: "+`"`+theSecret+`"`), 0o600))
			return []string{"--values", path}, nil
		},
		"terminal": nil,
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, secretsConfig)
			crypted := filepath.Join(t.TempDir(), "crypted")
			testutil.Must(t, os.WriteFile(crypted, []byte(theCrypt), 0o600))
			out := t.TempDir()
			args := []string{"build", "--oci-layout", b.out, "--sif", b.out + "-sif/", "--secret", "crypted=file:" + crypted, "--record", filepath.Join(out, "answers.yaml")}
			var env []string
			if give != nil {
				more, vars := give(b, t.TempDir())
				args, env = append(args, more...), vars
			}
			var printed bytes.Buffer
			for _, fail := range []string{"FAIL=yes", "FAIL=no"} { // what is left of a failed node, too
				cmd := b.command(context.Background(), append(args, "-v")...)
				cmd.Env = append(append(withoutCI(cmd.Env), env...), fail)
				var err error
				if give != nil {
					var text []byte
					text, err = cmd.CombinedOutput()
					printed.Write(text)
				} else {
					s := sit(t, cmd)
					s.answer("not shown): ", theSecret)
					s.answer("  The same again: ", theSecret)
					err = s.leave()
					printed.Write(s.shown.Bytes())
				}
				if (err != nil) != (fail == "FAIL=yes") {
					t.Fatalf("%s: %v\n%s", fail, err, printed.String())
				}
			}
			testutil.Must(t, os.WriteFile(filepath.Join(out, "printed"), printed.Bytes(), 0o600))
			if strings.Count(printed.String(), hiddenSecret) < 6 {
				t.Errorf("the script printed it more often:\n%s", printed.String())
			}
			where := map[string]int{}
			for _, dir := range []string{b.store, b.out, b.out + "-sif", b.work, out} {
				search(t, dir, where)
			}
			if where["crypt"] == 0 || where["seen"] == 0 {
				t.Errorf("what is there is not found: %v", where)
			}
		})
	}
}

// hiddenSecret stands where a secret was printed.
const hiddenSecret = "(secret)"

// traces are the forms of the secret that must be nowhere.
func traces() map[string]string {
	whole := base64.StdEncoding.EncodeToString([]byte(theSecret))
	return map[string]string{
		"secret": theSecret, "its beginning": "correct horse", "its end": "battery", "its line in base64": base64.StdEncoding.EncodeToString([]byte(theSecret + "\n"))[:32],
		"base64": strings.TrimRight(whole, "=")[:len(whole)-4], "URL base64": base64.RawURLEncoding.EncodeToString([]byte(theSecret))[:32], "hex": hex.EncodeToString([]byte(theSecret)),
	}
}

// search looks into all files below a directory, into what is compressed, too. The crypt may be in layers, and in no name or
// other file.
func search(t *testing.T, dir string, where map[string]int) {
	t.Helper()
	// With a range of ids some of a layer directory belongs to others. It was unpacked from a blob, or is what a blob holds, and blobs are all searched.
	theirs := func(path string, err error) bool {
		return errors.Is(err, fs.ErrPermission) && strings.Contains(path, "/store/layers/")
	}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case theirs(path, err) && d != nil && d.IsDir():
			return fs.SkipDir
		case err != nil || !d.Type().IsRegular():
			return err
		}
		data, err := os.ReadFile(path)
		if theirs(path, err) {
			return nil
		}
		if err != nil {
			return err
		}
		if r, err := gzip.NewReader(bytes.NewReader(data)); err == nil {
			plain, err := io.ReadAll(r)
			if err != nil {
				return err
			}
			data = append(data, plain...)
		}
		for what, text := range traces() {
			if bytes.Contains(data, []byte(text)) || strings.Contains(path, text) {
				t.Errorf("%s: %s is there", path, what)
			}
		}
		if bytes.Contains(data, []byte("XTOO_NODE=shows")) {
			where["seen"]++
		}
		if bytes.Contains(data, []byte(theCrypt)) {
			where["crypt"]++
			layer := strings.Contains(path, "/blobs/sha256/") && bytes.Contains(data, []byte("ustar")) || strings.HasSuffix(path, "/etc/shadow")
			if !layer {
				t.Errorf("%s: the crypt is there", path)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
