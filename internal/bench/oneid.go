package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"xtoo/chroot/host"
)

// oneID: what it costs that a user has one id, whose owners are recorded, against a range of ids. The scripts are executed
// with the programs of this machine; what is measured is their own time. What they make stays: where many files were removed just
// before, ext4 takes several times as long to make new ones.
func (b *bench) oneID(ctx context.Context) ([]row, error) {
	files := fmt.Sprintf("mkdir /few; cd /few; i=0; while [ $i -lt %d ]; do echo $i > $i; i=$((i+1)); done; cd /; "+
		"tar --owner 1000 --group 1000 -cf /few.tar few; rm -r /few", filesInOne)
	compile := "mkdir /c; i=0; while [ $i -lt 200 ]; do printf '#include <stdio.h>\\n#include <stdlib.h>\\n#include <string.h>\\n" +
		"int f%d(int n) { char *p = malloc(n); memset(p, n, n); printf(\"%%s\", p); free(p); return n * %d; }\\n' $i $i > /c/$i.c; i=$((i+1)); done"
	var rows []row
	for _, one := range []hosted{
		{
			"oneid-files", "a node that unpacks 100,000 files and gives each away, with one id", files,
			"i=0; while [ $i -lt 100 ]; do i=$((i+1)); mkdir -p /out/$i; tar -C /out/$i -xpf /few.tar; done; : %s", 1.5, []string{"tar"},
		},
		{
			"oneid-cc", "a node that compiles 200 files of C, with one id", compile,
			"cd /c; for f in *.c; do cc -O1 -c $f -o /tmp/o; done; : %s", 1.1, []string{"cc"},
		},
	} {
		r, err := b.oneIDRow(ctx, one)
		if err != nil {
			return nil, err
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// filesInOne is how many files an archive has that is unpacked a hundred times.
const filesInOne = 1000

// hosted is a script for the programs of this machine.
type hosted struct {
	name, what string
	before     string // a script whose layer it works on
	script     string // with a %s for what is new each time
	limit      float64
	needs      []string // programs
}

// oneIDRow measures one script in both tiers.
func (b *bench) oneIDRow(ctx context.Context, s hosted) (row, error) {
	const than = "with a range of ids"
	missing := lacks(s.needs...)
	if h, err := host.Probe(); missing == "" && (err != nil || h.Tier != host.TierMapped) {
		missing = "a range of ids"
	}
	if missing != "" {
		return compare(wall, s.what, than, pair{}, s.limit, missing), nil
	}
	var each [2]measurer
	for i, tier := range []host.Tier{host.TierSingle, host.TierMapped} {
		c := call{what: s.what, store: b.storeOf(s.name + "-" + string(tier)), env: []string{"XTOO_TIER=" + string(tier)}}
		c.work = filepath.Join(b.dir, s.name+"-"+string(tier))
		again := func(text string) (sample, error) {
			dir := filepath.Join(c.work, "bench")
			if err := writeHosted(dir, s.before, "t=$(date +%s%N); "+text+"; echo "+took+"$(( $(date +%s%N) - t ))"); err != nil {
				return sample{}, err
			}
			one, err := b.start(ctx, c)
			if err != nil {
				return sample{}, err
			}
			one.wall, err = readTook(c.store)
			return one, err
		}
		if _, err := again("true"); err != nil {
			return row{}, err
		}
		each[i] = func(i int) (sample, error) { return again(fmt.Sprintf(s.script, fmt.Sprint("run-", i))) }
	}
	p, err := b.sideBySide(each[0], each[1])
	if err != nil {
		return row{}, err
	}
	return compare(wall, s.what, than, p, s.limit, ""), b.dropChangers(ctx, s.name+"-"+string(host.TierSingle), s.name+"-"+string(host.TierMapped))
}

// took begins the line in which a script says how long it took, in the nanoseconds of date(1). A volume for that would change
// what is measured: with one that it can write to, a script has more of its calls answered.
const took = "took-ns "

// readTook reads that from the store's logs and removes them.
func readTook(store string) (time.Duration, error) {
	logs, err := filepath.Glob(filepath.Join(store, "logs", "*"))
	if err != nil {
		return 0, err
	}
	var text []byte
	for _, f := range logs {
		data, err := os.ReadFile(f)
		if err != nil {
			return 0, err
		}
		text = append(text, data...)
		if err := os.Remove(f); err != nil {
			return 0, err
		}
	}
	var ns []string
	for line := range strings.Lines(string(text)) {
		if n, ok := strings.CutPrefix(line, took); ok {
			ns = append(ns, strings.TrimSpace(n))
		}
	}
	if len(ns) != 1 {
		return 0, fmt.Errorf("%s says %d times how long its script took", store, len(ns))
	}
	n, err := strconv.ParseInt(ns[0], 10, 64)
	return time.Duration(n), err
}

// writeHosted writes a project whose scripts are executed by the programs of this machine.
func writeHosted(dir string, scripts ...string) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	var y strings.Builder
	y.WriteString("from: scratch\nnetwork: none\nvolumes:\n")
	for _, d := range []string{"/bin", "/lib", "/lib64", "/usr", "/etc/alternatives"} {
		if _, err := os.Stat(d); err == nil {
			fmt.Fprintf(&y, "  - {source: %s, target: %s, readonly: true}\n", d, d)
		}
	}
	y.WriteString("scripts:\n")
	for i, s := range scripts {
		fmt.Fprintf(&y, "  - {name: n%d, run: %q}\n", i+1, s)
	}
	return os.WriteFile(filepath.Join(dir, ".xtoo-config.yaml"), []byte(y.String()), 0o644)
}
