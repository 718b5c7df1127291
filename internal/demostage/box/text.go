package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// lines calls do for every line of the inputs, without its newline, until do returns [errEnough] for an input.
func lines(std stdio, paths []string, do func(name, line string) error) error {
	return inputs(std, paths, func(name string, r io.Reader) error {
		br := bufio.NewReader(r)
		for {
			line, err := br.ReadString('\n')
			if line != "" {
				if err := do(name, strings.TrimSuffix(line, "\n")); errors.Is(err, errEnough) {
					return nil
				} else if err != nil {
					return err
				}
			}
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
		}
	})
}

// errEnough ends the reading of one input early.
var errEnough = errors.New("enough")

// count reads the number of `-n N`, and of the old form `-N`.
func count(args []string) (int, map[byte]string, []string, error) {
	if len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-' && args[0][1] >= '0' && args[0][1] <= '9' {
		args = append([]string{"-n", args[0][1:]}, args[1:]...)
	}
	got, args, err := options(args, "n:c:q")
	if err != nil {
		return 0, nil, nil, err
	}
	n := 10
	for _, letter := range []byte{'n', 'c'} {
		if v, ok := got[letter]; ok {
			if n, err = strconv.Atoi(v); err != nil || n < 0 {
				return 0, nil, nil, exitError{2, fmt.Sprintf("%q is not a count", v)}
			}
		}
	}
	return n, got, args, nil
}

func head(_ context.Context, std stdio, args []string) error {
	n, got, args, err := count(args)
	if err != nil {
		return err
	}
	if has(got, "c") {
		return inputs(std, args, func(_ string, r io.Reader) error {
			_, err := io.CopyN(std.out, r, int64(n))
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		})
	}
	return inputs(std, args, func(name string, r io.Reader) error {
		left := n
		return lines(stdio{in: r}, nil, func(_, line string) error {
			if left == 0 {
				return errEnough
			}
			left--
			_, err := fmt.Fprintln(std.out, line)
			return err
		})
	})
}

func tail(_ context.Context, std stdio, args []string) error {
	n, _, args, err := count(args)
	if err != nil {
		return err
	}
	var kept []string
	if err := lines(std, args, func(_, line string) error {
		kept = append(kept, line)
		if len(kept) > n {
			kept = kept[1:]
		}
		return nil
	}); err != nil {
		return err
	}
	return printLines(std.out, kept)
}

func printLines(w io.Writer, all []string) error {
	for _, l := range all {
		if _, err := fmt.Fprintln(w, l); err != nil {
			return err
		}
	}
	return nil
}

func wc(_ context.Context, std stdio, args []string) error {
	got, args, err := options(args, "lwc")
	if err != nil {
		return err
	}
	return inputs(std, args, func(name string, r io.Reader) error {
		data, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		var fields []string
		for _, f := range []struct {
			letter string
			n      int
		}{{"l", bytes.Count(data, []byte("\n"))}, {"w", len(bytes.Fields(data))}, {"c", len(data)}} {
			if len(got) == 0 || has(got, f.letter) {
				fields = append(fields, strconv.Itoa(f.n))
			}
		}
		if name != "-" {
			fields = append(fields, name)
		}
		_, err = fmt.Fprintln(std.out, strings.Join(fields, " "))
		return err
	})
}

func sortLines(_ context.Context, std stdio, args []string) error {
	got, args, err := options(args, "rnu")
	if err != nil {
		return err
	}
	var all []string
	if err := lines(std, args, func(_, line string) error { all = append(all, line); return nil }); err != nil {
		return err
	}
	number := func(s string) float64 {
		f, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
		if err != nil {
			return 0 // as the real one: what is no number sorts as zero
		}
		return f
	}
	slices.SortStableFunc(all, func(a, b string) int {
		c := 0
		if has(got, "n") {
			c = cmp.Compare(number(a), number(b))
		}
		c = cmp.Or(c, cmp.Compare(a, b))
		if has(got, "r") {
			return -c
		}
		return c
	})
	if has(got, "u") {
		all = slices.Compact(all)
	}
	return printLines(std.out, all)
}

func uniq(_ context.Context, std stdio, args []string) error {
	last, first := "", true
	return lines(std, args, func(_, line string) error {
		if !first && line == last {
			return nil
		}
		last, first = line, false
		_, err := fmt.Fprintln(std.out, line)
		return err
	})
}

// grep prints matching lines; patterns are Go's regular expressions, or fixed strings with -F.
func grep(_ context.Context, std stdio, args []string) error {
	got, args, err := options(args, "qvicFExe:")
	if err != nil {
		return err
	}
	pattern := got['e']
	if !has(got, "e") {
		if err := need(args, 1, "grep [-qvicFEx] PATTERN [FILE…]"); err != nil {
			return err
		}
		pattern, args = args[0], args[1:]
	}
	if has(got, "F") {
		pattern = regexp.QuoteMeta(pattern)
	}
	if has(got, "x") {
		pattern = "^(?:" + pattern + ")$"
	}
	if has(got, "i") {
		pattern = "(?i)" + pattern
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		return exitError{2, err.Error()}
	}
	n := 0
	err = lines(std, args, func(name, line string) error {
		if re.MatchString(line) == has(got, "v") {
			return nil
		}
		n++
		if has(got, "q") {
			return errEnough
		}
		if has(got, "c") {
			return nil
		}
		if len(args) > 1 {
			line = name + ":" + line
		}
		_, err := fmt.Fprintln(std.out, line)
		return err
	})
	if err != nil {
		return exitError{2, err.Error()}
	}
	if has(got, "c") {
		if _, err := fmt.Fprintln(std.out, n); err != nil {
			return err
		}
	}
	if n == 0 {
		return exitError{code: 1}
	}
	return nil
}

func cut(_ context.Context, std stdio, args []string) error {
	got, args, err := options(args, "d:f:")
	if err != nil {
		return err
	}
	sep := "\t"
	if has(got, "d") {
		sep = got['d']
	}
	var want []int
	for f := range strings.SplitSeq(got['f'], ",") {
		n, err := strconv.Atoi(f)
		if err != nil || n < 1 {
			return exitError{2, "usage: cut [-d SEPARATOR] -f N[,N…] [FILE…]"}
		}
		want = append(want, n)
	}
	return lines(std, args, func(_, line string) error {
		all := strings.Split(line, sep)
		var out []string
		for _, n := range want {
			if n <= len(all) {
				out = append(out, all[n-1])
			}
		}
		_, err := fmt.Fprintln(std.out, strings.Join(out, sep))
		return err
	})
}

// tr replaces or deletes (-d) bytes; sets may have ranges.
func tr(_ context.Context, std stdio, args []string) error {
	got, args, err := options(args, "d")
	if err != nil {
		return err
	}
	if err := need(args, 1, "tr [-d] SET1 [SET2]"); err != nil {
		return err
	}
	from := byteSet(args[0])
	var to []byte
	if !has(got, "d") {
		if err := need(args, 2, "tr SET1 SET2"); err != nil {
			return err
		}
		to = byteSet(args[1])
	}
	in, out := bufio.NewReader(std.in), bufio.NewWriter(std.out)
	for {
		b, err := in.ReadByte()
		if errors.Is(err, io.EOF) {
			return out.Flush()
		}
		if err != nil {
			return err
		}
		if at := bytes.IndexByte(from, b); at >= 0 {
			if len(to) == 0 {
				continue
			}
			b = to[min(at, len(to)-1)]
		}
		if err := out.WriteByte(b); err != nil {
			return err
		}
	}
}

func byteSet(s string) []byte {
	s = strings.NewReplacer(`\n`, "\n", `\t`, "\t", `\0`, "\x00", `\\`, `\`).Replace(s)
	var set []byte
	for i := 0; i < len(s); i++ {
		if i+2 < len(s) && s[i+1] == '-' {
			for c := int(s[i]); c <= int(s[i+2]); c++ {
				set = append(set, byte(c))
			}
			i += 2
			continue
		}
		set = append(set, s[i])
	}
	return set
}

func tee(_ context.Context, std stdio, args []string) error {
	got, args, err := options(args, "a")
	if err != nil {
		return err
	}
	flag := os.O_CREATE | os.O_WRONLY | os.O_TRUNC
	if has(got, "a") {
		flag = os.O_CREATE | os.O_WRONLY | os.O_APPEND
	}
	writers := []io.Writer{std.out}
	var files []*os.File
	for _, a := range args {
		f, err := os.OpenFile(a, flag, 0o666)
		if err != nil {
			return err
		}
		writers, files = append(writers, f), append(files, f)
	}
	_, err = io.Copy(io.MultiWriter(writers...), std.in)
	for _, f := range files {
		err = errors.Join(err, f.Close())
	}
	return err
}

func seq(_ context.Context, std stdio, args []string) error {
	if err := need(args, 1, "seq [FIRST [STEP]] LAST"); err != nil {
		return err
	}
	n := make([]int, len(args))
	for i, a := range args {
		var err error
		if n[i], err = strconv.Atoi(a); err != nil {
			return exitError{2, fmt.Sprintf("%q is not a number", a)}
		}
	}
	first, step, last := 1, 1, n[len(n)-1]
	if len(n) > 1 {
		first = n[0]
	}
	if len(n) > 2 {
		step = n[1]
	}
	if step == 0 {
		return exitError{2, "a step of 0 never ends"}
	}
	w := bufio.NewWriter(std.out)
	for i := first; step > 0 && i <= last || step < 0 && i >= last; i += step {
		if _, err := fmt.Fprintln(w, i); err != nil {
			return err
		}
	}
	return w.Flush()
}

func sha256sum(_ context.Context, std stdio, args []string) error {
	return inputs(std, args, func(name string, r io.Reader) error {
		h := sha256.New()
		if _, err := io.Copy(h, r); err != nil {
			return err
		}
		_, err := fmt.Fprintf(std.out, "%x  %s\n", h.Sum(nil), name)
		return err
	})
}

func yes(_ context.Context, std stdio, args []string) error {
	word := "y"
	if len(args) > 0 {
		word = strings.Join(args, " ")
	}
	for {
		if _, err := fmt.Fprintln(std.out, word); err != nil {
			return err
		}
	}
}
