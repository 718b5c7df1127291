package chroot

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/moby/sys/user"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// maxUsers is how much of /etc/passwd and /etc/group is read, in bytes: half a million users.
const maxUsers = 32 << 20

// asImage makes the process that of a container, as runtimes do: names of user and group mean what they mean in the root's
// /etc/passwd and /etc/group, HOME is the user's where the environment has none, and a working directory that is missing is made. It is
// called in the guest, whose files are the image's and may be anything.
func (a *nodeArgs) asImage() error {
	p := a.Spec.Process
	found, err := lookUpUser(a.User)
	if err != nil {
		return fmt.Errorf("user %q of the image: %w", a.User, err)
	}
	p.User = specs.User{UID: uint32(found.Uid), GID: uint32(found.Gid)}
	for _, gid := range found.Sgids {
		p.User.AdditionalGids = append(p.User.AdditionalGids, uint32(gid))
	}
	if err := checkUser(a.Ids, p); err != nil {
		return err
	}
	if !slices.ContainsFunc(p.Env, func(e string) bool { return strings.HasPrefix(e, "HOME=") }) {
		p.Env = append(p.Env, "HOME="+found.Home)
	}
	if p.Cwd == "" {
		return nil
	}
	if err := os.MkdirAll(p.Cwd, 0o755); err != nil {
		return fmt.Errorf("working directory of the image: %w", err)
	}
	return nil
}

func lookUpUser(who string) (*user.ExecUser, error) {
	passwd, err := openUsers("/etc/passwd")
	if err != nil {
		return nil, err
	}
	defer passwd.Close() // read only
	group, err := openUsers("/etc/group")
	if err != nil {
		return nil, err
	}
	defer group.Close() // read only
	return user.GetExecUser(who, &user.ExecUser{Home: "/"}, io.LimitReader(passwd, maxUsers), io.LimitReader(group, maxUsers))
}

// openUsers opens a file of users or groups; one that is missing is empty. Whatever else stands there is not waited for.
func openUsers(path string) (io.ReadCloser, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return io.NopCloser(strings.NewReader("")), nil
	}
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no file", path)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
