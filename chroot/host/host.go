package host

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// A Tier says how much of root this user can have in a user namespace.
type Tier string

// The tiers.
const (
	TierMapped Tier = "mapped" // a range of ids
	TierSingle Tier = "single" // one id: the user's own, as 0
)

// tierVar names the environment variable that [Probe] obeys: "single" takes the single tier where the mapped one
// could be had (to test that both give the same bytes), "mapped" makes the single tier an error.
const tierVar = "XTOO_TIER"

// A Host is what this machine offers to this user. It holds nothing open and may be used by any number of
// goroutines; its fields are not to be changed. One without programs to write its maps can be sent as JSON.
type Host struct {
	Tier Tier
	// UIDs and GIDs are the maps of every user namespace that this Host makes, as runtime-spec has them.
	UIDs []specs.LinuxIDMapping `json:"UIDs"`
	GIDs []specs.LinuxIDMapping `json:"GIDs"`
	// Reason says in words why the tier is what it is: which ranges there are, or what is missing.
	Reason string
	// Hint says what would raise the tier; empty in the mapped tier.
	Hint string `json:"Hint"`

	// Setgroups says that supplementary groups can be dropped and set in the namespaces.
	Setgroups bool

	newuidmap, newgidmap string // programs that write the maps; empty: this process may do it itself
}

// Probe finds the tier and the id maps of this user. It reads a few small files and starts no process, so it does
// not see everything that may forbid a namespace: that is found when one is made. An error means that nothing can be built here; it wraps [ErrNoNamespaces] and has a hint.
func Probe() (*Host, error) { return probe(settings{}, os.Getenv(tierVar)) }

func probe(f settings, want string) (*Host, error) {
	if err := namespacesOff(f); err != nil {
		return nil, err
	}
	if err := f.tooFew(); err != nil {
		return nil, err
	}
	var h *Host
	switch Tier(want) {
	case "", TierMapped:
		var err error
		if h, err = probeMapped(f); err != nil {
			return nil, err
		}
	case TierSingle:
		h = singleHost()
		h.Reason, h.Hint = "forced by "+tierVar+"=single", "unset "+tierVar
	default:
		return nil, fmt.Errorf("environment variable %s=%q: must be %q or %q", tierVar, want, TierMapped, TierSingle)
	}
	if Tier(want) == TierMapped && h.Tier != TierMapped {
		return nil, &Error{Err: fmt.Errorf("%s=mapped, but only one id can be had: %s", tierVar, h.Reason), Hint: h.Hint}
	}
	return h, nil
}

// probeMapped finds the mapped tier, or the single one with the reason why it is not more.
func probeMapped(f settings) (*Host, error) {
	if os.Geteuid() == 0 && mayMapItself() {
		return rootHost(f)
	}
	var reason, hint string
	h, err := subordinateHost(f)
	if err == nil {
		return h, nil
	}
	reason = err.Error()
	var m *missingError
	if errors.As(err, &m) {
		hint = m.hint
	}
	h = singleHost()
	h.Reason, h.Hint = reason, hint
	return h, nil
}

// mayMapItself says whether this process may write any map for a child: what newuidmap is set-uid for.
func mayMapItself() bool {
	data := [2]unix.CapUserData{}
	if err := unix.Capget(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &data[0]); err != nil {
		return false
	}
	// CAP_SETFCAP: since 5.12 a map that contains the parent's id 0 needs it.
	const need = 1<<unix.CAP_SETUID | 1<<unix.CAP_SETGID | 1<<unix.CAP_SETFCAP
	return data[0].Effective&need == need
}

// rootHost maps every id that this process has onto itself. Root of a user namespace may have one id only.
func rootHost(f settings) (*Host, error) {
	uids, err := readIDMap(f.path("/proc/self/uid_map"))
	if err != nil {
		return nil, err
	}
	gids, err := readIDMap(f.path("/proc/self/gid_map"))
	if err != nil {
		return nil, err
	}
	if countIDs(uids) == 1 || countIDs(gids) == 1 {
		h := singleHost()
		h.Reason = "root of a user namespace with one id"
		h.Hint = "leave that namespace (unshare, a container), or start it with a range of ids"
		return h, nil
	}
	return &Host{
		Tier: TierMapped, UIDs: identity(uids), GIDs: identity(gids), Setgroups: f.value("/proc/self/setgroups") != "deny",
		Reason: "root: all ids as they are",
	}, nil
}

// singleHost maps the user's own ids to 0.
func singleHost() *Host {
	return &Host{Tier: TierSingle, UIDs: singleID(os.Geteuid()), GIDs: singleID(os.Getegid())}
}

// missingError says what stands between a user and the mapped tier.
type missingError struct{ text, hint string }

func (e *missingError) Error() string { return e.text }

// subordinateHost maps the user's own id to 0 and the ranges of /etc/subuid and /etc/subgid from 1 on.
func subordinateHost(f settings) (*Host, error) {
	uid, gid := os.Geteuid(), os.Getegid()
	name := userName(uid)
	uids, err := subordinateIDs(f.path("/etc/subuid"), name, uid)
	if err != nil {
		return nil, err
	}
	gids, err := subordinateIDs(f.path("/etc/subgid"), name, uid)
	if err != nil {
		return nil, err
	}
	newuidmap, err := findProgram("newuidmap")
	if err != nil {
		return nil, err
	}
	newgidmap, err := findProgram("newgidmap")
	if err != nil {
		return nil, err
	}
	if u, err := user.LookupId(strconv.Itoa(uid)); err == nil && u.Gid != strconv.Itoa(gid) {
		return nil, &missingError{
			text: fmt.Sprintf("the current group %d is not the primary group %s of user %s, and newgidmap insists on it", gid, u.Gid, name),
			hint: "return to your primary group: end the shell that newgrp or sg started",
		}
	}
	if unprivileged, err := unix.PrctlRetInt(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0); err == nil && unprivileged == 1 {
		return nil, &missingError{
			text: "no_new_privs is set on this process, so that newuidmap has no privilege",
			hint: "start xtoo without it (NoNewPrivileges= of systemd, bubblewrap, `setpriv --no-new-privs`, a container's no-new-privileges)",
		}
	}
	h := &Host{
		Tier: TierMapped, UIDs: behindOwn(uid, uids), GIDs: behindOwn(gid, gids),
		newuidmap: newuidmap, newgidmap: newgidmap, Setgroups: true,
	}
	for file, m := range map[string][]specs.LinuxIDMapping{"/proc/self/uid_map": h.UIDs, "/proc/self/gid_map": h.GIDs} {
		own, err := readIDMap(f.path(file))
		if err != nil {
			return nil, err
		}
		if id, ok := firstOutside(own, m); !ok {
			return nil, &missingError{
				text: fmt.Sprintf("id %d of /etc/subuid or /etc/subgid does not exist in the user namespace of this process", id),
				hint: "give this user a range in /etc/subuid and /etc/subgid that is within " + file,
			}
		}
	}
	h.Reason = fmt.Sprintf("%d user ids and %d group ids of /etc/subuid and /etc/subgid", countIDs(h.UIDs), countIDs(h.GIDs))
	return h, nil
}

// userName is the name of a user for messages and for /etc/subuid; its number where it has none.
func userName(uid int) string {
	u, err := user.LookupId(strconv.Itoa(uid))
	if err != nil || u.Username == "" {
		return strconv.Itoa(uid)
	}
	return u.Username
}

// findProgram looks for one of the two set-uid programs that write maps.
func findProgram(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err == nil {
		if state, hint := privilegeOf(path); state != StateOK {
			return "", &missingError{text: path + " has no privilege to write maps", hint: hint}
		}
		return path, nil
	}
	return "", &missingError{
		text: name + " is not on the PATH",
		hint: "install it: package uidmap (Debian, Ubuntu), shadow-utils (Fedora, RHEL, SUSE: also shadow), " +
			"sys-apps/shadow with USE=subids (Gentoo, Funtoo), shadow (Arch), shadow-subids (Alpine)",
	}
}
