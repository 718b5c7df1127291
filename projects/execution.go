package projects

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"xtoo/projects/schema"
)

// Network says what network a script has.
type Network string

// The networks.
const (
	NetworkHost Network = "host"
	NetworkNone Network = "none"
)

// Resolver says whose /etc/hosts and /etc/resolv.conf a script has.
type Resolver string

// The resolvers.
const (
	ResolverHost  Resolver = "host"  // a fixed hosts file and the machine's resolv.conf
	ResolverImage Resolver = "image" // the image's own, which can be written
)

// Limits bound what a script may use of the machine. They do not show in what it makes, so that they are in no key. Zero
// means: no limit of ours.
type Limits struct {
	Timeout time.Duration
	Memory  int64 // bytes
	Pids    int64 // processes and threads
	Tmpfs   Tmpfs
}

// Tmpfs has the sizes of the file systems in memory, as tmpfs(5) has them. Empty: the default.
type Tmpfs struct {
	Tmp string `json:"tmp,omitempty"`
	Run string `json:"run,omitempty"`
	Shm string `json:"shm,omitempty"`
}

// execution is how scripts are executed, as a project or a script says it.
type execution struct {
	network  Network
	resolver Resolver
	limits   Limits
}

// add takes what another one says in place of what this one does.
func (e *execution) add(o execution) {
	override(&e.network, o.network)
	override(&e.resolver, o.resolver)
	override(&e.limits.Timeout, o.limits.Timeout)
	override(&e.limits.Memory, o.limits.Memory)
	override(&e.limits.Pids, o.limits.Pids)
	override(&e.limits.Tmpfs.Tmp, o.limits.Tmpfs.Tmp)
	override(&e.limits.Tmpfs.Run, o.limits.Tmpfs.Run)
	override(&e.limits.Tmpfs.Shm, o.limits.Tmpfs.Shm)
}

func override[T comparable](to *T, with T) {
	var unset T
	if with != unset {
		*to = with
	}
}

// executionFields are the keys of projects and of scripts. whose is where a value comes from that is not there.
func executionFields(network, whose, ofWhat string) []*schema.Field {
	size := func() *schema.Shape {
		return scalar(tmpfsPattern(), "a size: a number of bytes, with k, m or g, or % of the memory, behind it")
	}
	def := func(other string) string { return whose + ", else " + other }
	return []*schema.Field{
		{Key: "network", Shape: enum(string(NetworkHost), string(NetworkNone)), DefText: network,
			Doc: "`host`: " + ofWhat + " the machine's network. `none`: " + "a loopback interface and nothing else."},
		{Key: "resolver", Shape: enum(string(ResolverHost), string(ResolverImage)), DefText: def("`host`"),
			Doc: "Whose `/etc/hosts` and `/etc/resolv.conf`. `host`: a fixed hosts file (localhost) and this machine's `resolv.conf`, both read-only and in no layer. " +
				"`image`: the image's own, which a script can write and replace like any other file. With `network: none` it is always `image`."},
		{Key: "timeout", Shape: scalar(timeoutPattern(), "a time, as 90s, 30m or 1h30m"), Example: "30m", DefText: def("none"),
			Doc: "How long a script may take; then it is ended, and the build fails."},
		{Key: "memory", Shape: scalar(bytesPattern(), "a number of bytes, with k, m, g or t behind it"), Example: "4g", DefText: def("none"),
			Doc: "How much memory a script may use, with all that it starts. It needs a control group (version 2) that this user may write to: see [limits](#limits)."},
		{Key: "pids", Shape: scalar(countPattern(), "a number above 0"), Example: "4096", DefText: def("none"),
			Doc: "How many processes and threads a script may have. It needs what `memory` needs."},
		{Key: "tmpfs", DefText: whose, Example: "{tmp: 8g}", Doc: "Sizes of the file systems in memory, which are fresh for each script: a number of bytes, with `k`, `m` or `g` behind it, or of hundredths of the machine's memory, as `50%`.",
			Shape: &schema.Shape{Name: "tmpfs", Object: &schema.Object{Fields: []*schema.Field{
				{Key: "tmp", Shape: size(), DefText: "`50%`", Doc: "Size of `/tmp`."},
				{Key: "run", Shape: size(), DefText: "`20%`", Doc: "Size of `/run`."},
				{Key: "shm", Shape: size(), DefText: "`50%`", Doc: "Size of `/dev/shm`."},
			}}}},
	}
}

// scalar is a text or number of a pattern.
func scalar(pattern *regexp.Regexp, want string) *schema.Shape {
	return &schema.Shape{What: want, Literal: true, Text: &schema.Text{Pattern: pattern, Want: want}}
}

func tmpfsPattern() *regexp.Regexp { return regexp.MustCompile(`^[1-9][0-9]{0,14}[kmgKMG%]?$`) }
func bytesPattern() *regexp.Regexp {
	return regexp.MustCompile(`^[1-9][0-9]{0,5}[kmgtKMGT]?$|^[1-9][0-9]{0,17}$`)
}
func countPattern() *regexp.Regexp { return regexp.MustCompile(`^[1-9][0-9]{0,8}$`) }
func timeoutPattern() *regexp.Regexp {
	return regexp.MustCompile(`^[1-9][0-9]{0,5}(s|m|h)([1-9][0-9]{0,5}(s|m)){0,2}$`)
}

// execution reads the keys of executionFields.
func (d *decoder) execution(v *schema.Value) execution {
	e := execution{network: Network(v.Get("network").String()), resolver: Resolver(v.Get("resolver").String())}
	if t := v.Get("timeout"); t != nil {
		var err error
		if e.limits.Timeout, err = time.ParseDuration(t.Text); err != nil {
			d.probs.Addf(t.Pos, "timeout %q: %v", t.Text, err)
		}
	}
	e.limits.Memory = bytesOf(v.Get("memory").String())
	e.limits.Pids = bytesOf(v.Get("pids").String())
	tmpfs := v.Get("tmpfs")
	e.limits.Tmpfs = Tmpfs{Tmp: tmpfs.Get("tmp").String(), Run: tmpfs.Get("run").String(), Shm: tmpfs.Get("shm").String()}
	return e
}

// bytesOf reads a number that the schema has accepted. 0 where there is none.
func bytesOf(text string) int64 {
	digits := strings.TrimRight(strings.ToLower(text), "kmgt")
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return 0
	}
	if unit := strings.ToLower(text)[len(digits):]; unit != "" {
		n <<= 10 * (1 + strings.Index("kmgt", unit))
	}
	return n
}
