package chroot

import specs "github.com/opencontainers/runtime-spec/specs-go"

// A sentSpec is what of a runtime specification reaches init: all that checkSpec lets through, and no more. JSON gets
// ready for every type that it could meet, whether it does or not, and those of other platforms would cost init a millisecond.
type sentSpec struct {
	Args            []string
	Env             []string                 `json:",omitempty"`
	Cwd             string                   `json:",omitempty"`
	User            specs.User               //
	Capabilities    *specs.LinuxCapabilities `json:",omitempty"`
	Rlimits         []specs.POSIXRlimit      `json:",omitempty"`
	NoNewPrivileges bool                     `json:",omitempty"`
	Hostname        string                   `json:",omitempty"`
	Domainname      string                   `json:",omitempty"`
	Mounts          []specs.Mount            `json:",omitempty"`

	MaskedPaths   []string                `json:",omitempty"`
	ReadonlyPaths []string                `json:",omitempty"`
	Personality   *specs.LinuxPersonality `json:",omitempty"`
}

// sent takes from s what is obeyed.
func sent(s *specs.Spec) sentSpec {
	p := s.Process
	to := sentSpec{
		Args: p.Args, Env: p.Env, Cwd: p.Cwd, User: p.User, Capabilities: p.Capabilities, Rlimits: p.Rlimits,
		NoNewPrivileges: p.NoNewPrivileges, Hostname: s.Hostname, Domainname: s.Domainname, Mounts: s.Mounts,
	}
	if l := s.Linux; l != nil {
		to.MaskedPaths, to.ReadonlyPaths, to.Personality = l.MaskedPaths, l.ReadonlyPaths, l.Personality
	}
	return to
}

// spec is the reverse of sent.
func (t *sentSpec) spec() *specs.Spec {
	return &specs.Spec{
		Process: &specs.Process{
			Args: t.Args, Env: t.Env, Cwd: t.Cwd, User: t.User, Capabilities: t.Capabilities, Rlimits: t.Rlimits,
			NoNewPrivileges: t.NoNewPrivileges,
		},
		Hostname: t.Hostname, Domainname: t.Domainname, Mounts: t.Mounts,
		Linux: &specs.Linux{MaskedPaths: t.MaskedPaths, ReadonlyPaths: t.ReadonlyPaths, Personality: t.Personality},
	}
}
