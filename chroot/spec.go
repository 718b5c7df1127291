package chroot

import (
	"errors"
	"fmt"
	"path"
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// checkSpec refuses what is wrong or not supported, and returns the network.
func checkSpec(s *specs.Spec, network Network) (Network, error) {
	if s == nil || s.Process == nil || len(s.Process.Args) == 0 || s.Process.Args[0] == "" {
		return "", errors.New("runtime spec: process.args is empty")
	}
	if err := refuse([]refusal{
		{s.Root != nil, "root (the layers are the root)"},
		{s.Hooks != nil, "hooks"},
		{s.Solaris != nil || s.Windows != nil || s.VM != nil || s.ZOS != nil, "another platform than linux"},
	}); err != nil {
		return "", err
	}
	if err := checkProcess(s.Process); err != nil {
		return "", err
	}
	for _, m := range s.Mounts {
		if _, err := parseVolume(m); err != nil {
			return "", err
		}
	}
	fromSpec, err := checkLinux(s.Linux)
	if err != nil {
		return "", err
	}
	switch {
	case network == "" && fromSpec != "":
		return fromSpec, nil
	case network == "":
		return NetworkHost, nil
	case network != NetworkHost && network != NetworkNone:
		return "", fmt.Errorf("network %q: must be %q or %q", network, NetworkHost, NetworkNone)
	case fromSpec != "" && network != fromSpec:
		return "", fmt.Errorf("network %q: the runtime spec has a network namespace of its own", network)
	}
	return network, nil
}

type refusal struct {
	set  bool
	what string
}

func refuse(all []refusal) error {
	for _, r := range all {
		if r.set {
			return unsupported(r.what)
		}
	}
	return nil
}

func checkProcess(p *specs.Process) error {
	if err := refuse([]refusal{
		{p.Terminal, "process.terminal"},
		{p.ApparmorProfile != "", "process.apparmorProfile"},
		{p.SelinuxLabel != "", "process.selinuxLabel"},
		{p.OOMScoreAdj != nil, "process.oomScoreAdj"},
		{p.Scheduler != nil, "process.scheduler"},
		{p.IOPriority != nil, "process.ioPriority"},
		{p.ExecCPUAffinity != nil, "process.execCPUAffinity"},
		{p.CommandLine != "" || p.User.Username != "", "what is for Windows"},
	}); err != nil {
		return err
	}
	if p.Cwd != "" && !path.IsAbs(p.Cwd) {
		return fmt.Errorf("runtime spec: process.cwd %q is not absolute", p.Cwd)
	}
	for _, r := range p.Rlimits {
		if _, ok := rlimitKinds()[r.Type]; !ok {
			return unsupported("process.rlimits: " + r.Type)
		}
	}
	return checkCaps(p.Capabilities)
}

// rlimitKinds are the limits that can be set on the process: those under which init, which has them too, survives.
func rlimitKinds() map[string]int {
	return map[string]int{
		"RLIMIT_CORE": unix.RLIMIT_CORE, "RLIMIT_FSIZE": unix.RLIMIT_FSIZE, "RLIMIT_MEMLOCK": unix.RLIMIT_MEMLOCK,
		"RLIMIT_MSGQUEUE": unix.RLIMIT_MSGQUEUE, "RLIMIT_NICE": unix.RLIMIT_NICE, "RLIMIT_NOFILE": unix.RLIMIT_NOFILE,
		"RLIMIT_NPROC": unix.RLIMIT_NPROC, "RLIMIT_RTPRIO": unix.RLIMIT_RTPRIO, "RLIMIT_SIGPENDING": unix.RLIMIT_SIGPENDING,
		"RLIMIT_STACK": unix.RLIMIT_STACK,
	}
}

// checkLinux returns the network that the namespaces ask for, or "".
func checkLinux(l *specs.Linux) (Network, error) {
	if l == nil {
		return "", nil
	}
	if err := refuse([]refusal{
		{l.Seccomp != nil, "linux.seccomp"},
		{l.Resources != nil || l.CgroupsPath != "", "linux.resources and cgroups"},
		{len(l.Devices) > 0, "linux.devices"},
		{len(l.Sysctl) > 0, "linux.sysctl"},
		{len(l.UIDMappings) > 0 || len(l.GIDMappings) > 0, "linux.uidMappings (the tier decides)"},
		{l.RootfsPropagation != "", "linux.rootfsPropagation"},
		{l.IntelRdt != nil, "linux.intelRdt"},
		{l.MountLabel != "", "linux.mountLabel"},
		{len(l.TimeOffsets) > 0, "linux.timeOffsets"},
	}); err != nil {
		return "", err
	}
	for _, p := range append(slices.Clone(l.MaskedPaths), l.ReadonlyPaths...) {
		if !path.IsAbs(p) {
			return "", fmt.Errorf("runtime spec: masked or read-only path %q is not absolute", p)
		}
	}
	if p := l.Personality; p != nil {
		if _, err := personality(p); err != nil {
			return "", err
		}
	}
	var network Network
	for _, ns := range l.Namespaces {
		if ns.Path != "" {
			return "", unsupported("linux.namespaces: path")
		}
		switch ns.Type {
		case specs.NetworkNamespace:
			network = NetworkNone
		case specs.UserNamespace, specs.MountNamespace, specs.PIDNamespace, specs.IPCNamespace, specs.UTSNamespace:
		default:
			return "", unsupported("linux.namespaces: " + string(ns.Type))
		}
	}
	return network, nil
}

// The execution domains of personality(2).
const perLinux, perLinux32 = 0, 8

// personality is the argument of personality(2).
func personality(p *specs.LinuxPersonality) (uintptr, error) {
	if len(p.Flags) > 0 {
		return 0, unsupported("linux.personality: flags")
	}
	switch p.Domain {
	case specs.PerLinux:
		return perLinux, nil
	case specs.PerLinux32:
		return perLinux32, nil
	}
	return 0, unsupported("linux.personality: " + string(p.Domain))
}
