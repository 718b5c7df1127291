package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"xtoo/qemu"
)

// loops is how many programs the script of [bench.loop] starts.
const loops = 1000

// loop is that script, for any /bin/sh.
func loop(n int) string {
	return fmt.Sprintf("i=0; while [ $i -lt %d ]; do /bin/true; i=$((i+1)); done", n)
}

// emulated is the architecture of -stage3-arm.
func emulated() (qemu.Arch, error) { return qemu.Lookup("arm-64bit", "") }

// lacksEmulation names what there is no emulation without, or "".
func (b *bench) lacksEmulation(a qemu.Arch, programs ...string) string {
	if b.arm == "" {
		return "-stage3-arm FILE"
	}
	return lacks(append([]string{a.Emulator + "-static"}, programs...)...)
}

// emulation: what xtoo adds to what qemu-user costs.
func (b *bench) emulation(ctx context.Context) ([]row, error) {
	loop, err := b.loop(ctx)
	if err != nil {
		return nil, err
	}
	start, err := b.startEmulated(ctx)
	return []row{loop, start}, err
}

// loop: a node that starts many programs, against the same in a plain chroot.
func (b *bench) loop(ctx context.Context) (row, error) {
	const what = "1,000 × /bin/true under emulation"
	const than = "the same loop in a plain chroot"
	arch, err := emulated()
	if err != nil {
		return row{}, err
	}
	missing := b.lacksEmulation(arch, "bash", "tar", "unshare", "mount", "chroot")
	if missing != "" {
		return compare(wall, what, than, pair{}, 1.1, missing), nil
	}
	root := filepath.Join(b.dir, "arm-root")
	if err := b.unpack(ctx, b.arm, root); err != nil {
		return row{}, err
	}
	ours, err := b.changer(ctx, change{name: "loop", what: what, stage3: b.arm, fresh: only(loop(loops) + "; echo %s > /etc/bench"), layout: true})
	if err != nil {
		return row{}, err
	}
	p, err := b.sideBySide(ours, func(int) (sample, error) { return emulatedChroot(ctx, arch, root, loop(loops)) })
	if err != nil {
		return row{}, err
	}
	return compare(wall, what, than, p, 1.1, ""), b.remove(ctx, root)
}

// startEmulated: what a node costs more because it is emulated.
func (b *bench) startEmulated(ctx context.Context) (row, error) {
	r := row{what: "start of an emulated node", kind: wall, limit: 0.05, unit: "s"}
	arch, err := emulated()
	if err != nil {
		return row{}, err
	}
	if r.missing = b.lacksEmulation(arch); r.missing != "" {
		return r, nil
	}
	var node [2]measurer
	for i, c := range []change{{name: "start-arm", stage3: b.arm}, {name: "start-mini", stage3: b.mini}} {
		c.what, c.fresh, c.layout = r.what, only("echo %s > /etc/bench"), true
		if node[i], err = b.changer(ctx, c); err != nil {
			return row{}, err
		}
	}
	p, err := b.sideBySide(node[0], node[1])
	if err != nil {
		return row{}, err
	}
	r.ours, r.theirs = p.ours.text(wall), "the same node on the mini stage3: "+p.theirs.text(wall)
	r.figure = (p.ours.wall - p.theirs.wall).Seconds()
	return r, nil
}

// emulatedChroot runs a script by /bin/sh in a root of another architecture, as one would without xtoo: by chroot(1)
// in namespaces with a binfmt_misc of their own (Linux 6.7), whoever the user is.
func emulatedChroot(ctx context.Context, a qemu.Arch, root, script string) (sample, error) {
	emulator, err := exec.LookPath(a.Emulator + "-static")
	if err != nil {
		return sample{}, err
	}
	const flags = qemu.FlagOpen + qemu.FlagCredentials + qemu.FlagFix
	const enter = `mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc
printf %s "$1" > /proc/sys/fs/binfmt_misc/register
exec chroot "$2" /bin/sh -ec "$3"`
	env := []string{qemu.CPUVar + "=" + a.CPU, "PATH=" + os.Getenv("PATH") + ":/usr/bin:/bin:/usr/sbin:/sbin"}
	return command(ctx, "", env, "unshare", "--user", "--map-root-user", "--mount",
		"sh", "-ec", enter, "sh", qemu.Rule("xtoo", a, emulator, flags), root, script)
}
