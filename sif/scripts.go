package sif

import (
	"path"
	"strings"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// The scripts of .singularity.d are POSIX sh, for images whose only shell is /bin/sh. Runtimes of today (Apptainer,
// SingularityCE from 3.6) do what the actions do in an interpreter of their own, which sources the scripts in env
// and executes runscript, startscript and test; older ones execute the actions. Both set SINGULARITY_NAME and, of
// Apptainer, APPTAINER_NAME.

const sourceEnvironment = `
for _singularity_env in /.singularity.d/env/*.sh; do
	if [ -f "$_singularity_env" ]; then
		. "$_singularity_env"
	fi
done
unset _singularity_env
`

const actionExec = `#!/bin/sh
# Executes a command in the environment of the image.
` + sourceEnvironment + `
exec "$@"
`

const actionRun = `#!/bin/sh
# Executes the runscript of the image, or of the app that is asked for, in the environment of the image.
` + sourceEnvironment + `
_singularity_app=${APPTAINER_APPNAME:-${SINGULARITY_APPNAME:-}}
if [ -n "$_singularity_app" ]; then
	if [ -x "/scif/apps/$_singularity_app/scif/runscript" ]; then
		exec "/scif/apps/$_singularity_app/scif/runscript" "$@"
	fi
	echo "app $_singularity_app has no runscript" >&2
	exit 1
fi
if [ -x /.singularity.d/runscript ]; then
	exec /.singularity.d/runscript "$@"
fi
exec /bin/sh "$@"
`

const actionShell = `#!/bin/sh
# Starts a shell in the environment of the image: the one that is asked for, or bash, or sh.
` + sourceEnvironment + `
_singularity_shell=${APPTAINER_SHELL:-${SINGULARITY_SHELL:-}}
if [ -n "$_singularity_shell" ] && [ -x "$_singularity_shell" ]; then
	exec "$_singularity_shell" "$@"
fi
if [ -x /bin/bash ]; then
	SHELL=/bin/bash
	export SHELL
	exec /bin/bash --norc "$@"
fi
SHELL=/bin/sh
export SHELL
exec /bin/sh "$@"
`

const actionStart = `#!/bin/sh
# Executes the startscript of the image in a new instance. The instance's first process waits for this signal.

kill -CONT 1
` + sourceEnvironment + `
if [ -x /.singularity.d/startscript ]; then
	exec /.singularity.d/startscript "$@"
fi
`

const actionTest = `#!/bin/sh
# Executes the test of the image, or of the app that is asked for, in the environment of the image.
` + sourceEnvironment + `
_singularity_app=${APPTAINER_APPNAME:-${SINGULARITY_APPNAME:-}}
if [ -n "$_singularity_app" ]; then
	if [ -x "/scif/apps/$_singularity_app/scif/test" ]; then
		exec "/scif/apps/$_singularity_app/scif/test" "$@"
	fi
	echo "app $_singularity_app has no test" >&2
	exit 1
fi
if [ -x /.singularity.d/test ]; then
	exec /.singularity.d/test "$@"
fi
`

const envBase = `#!/bin/sh
# The environment of the image begins here. Scripts of this directory are sourced in the order of their names.
`

const envCustom = `#!/bin/sh
# Commands that set the environment of the image go here.
`

const envApps = `#!/bin/sh
# The environment of an app (SCIF), when one is asked for.

_singularity_app=${APPTAINER_APPNAME:-${SINGULARITY_APPNAME:-}}
if [ -n "$_singularity_app" ]; then
	if [ ! -d "/scif/apps/$_singularity_app" ]; then
		echo "the image has no app $_singularity_app" >&2
		exit 1
	fi
	SCIF_APPS=/scif/apps
	SCIF_APPROOT=/scif/apps/$_singularity_app
	PATH=$SCIF_APPROOT:$PATH
	if [ -d "$SCIF_APPROOT/bin" ]; then
		PATH=$SCIF_APPROOT/bin:$PATH
	fi
	export SCIF_APPS SCIF_APPROOT PATH
	if [ -d "$SCIF_APPROOT/lib" ]; then
		LD_LIBRARY_PATH=$SCIF_APPROOT/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
		export LD_LIBRARY_PATH
	fi
	for _singularity_env in 01-base 90-environment; do
		if [ -f "$SCIF_APPROOT/scif/env/$_singularity_env.sh" ]; then
			. "$SCIF_APPROOT/scif/env/$_singularity_env.sh"
		fi
	done
fi
unset _singularity_app
`

// The libraries that --nv and the like bring in are bound to .singularity.d/libs. A prompt that the image or the
// user has set stays; that of dash, which always has one, does not count as set.
const envLast = `#!/bin/sh
# What holds for every image.

LD_LIBRARY_PATH=${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}/.singularity.d/libs
case ${PS1:-} in
'' | '$ ' | '# ')
	if [ -n "${APPTAINER_NAME:-}${APPTAINER_CONTAINER:-}" ]; then
		PS1='Apptainer> '
	else
		PS1='Singularity> '
	fi
	;;
esac
export LD_LIBRARY_PATH PS1
`

const defaultTest = `#!/bin/sh
# The image has no test of its own.
`

const runShell = `#!/bin/sh
# The image's configuration names no command: arguments are one, else a login shell is started.

if [ $# -gt 0 ]; then
	exec "$@"
fi
if [ -x /bin/bash ]; then
	exec /bin/bash --login
fi
exec /bin/sh
`

// ociEnvironment returns the script that sets an image's environment. Values are not expanded. PATH is always
// the image's; what the caller has set of the rest, and not empty, stays, as users of Singularity know it.
// Entries whose name is none that a shell can assign to are left out.
func ociEnvironment(env []string) string {
	values := make(map[string]string, len(env))
	var names []string // in the order of their first entries; of several with one name the last counts
	for _, e := range env {
		name, value, ok := strings.Cut(e, "=")
		if !ok || !isName(name) {
			continue
		}
		if _, again := values[name]; !again {
			names = append(names, name)
		}
		values[name] = value
	}
	var b strings.Builder
	b.WriteString("#!/bin/sh\n# The environment of the image's OCI configuration.\n\n")
	for _, name := range names {
		if name == "PATH" {
			b.WriteString("PATH=" + quote(values[name]) + "\nexport PATH\n")
			continue
		}
		b.WriteString("if [ -z \"${" + name + ":-}\" ]; then\n\t" + name + "=" + quote(values[name]) + "\nfi\nexport " + name + "\n")
	}
	return b.String()
}

// runscript returns the script that runs an image as `docker run` would: arguments take the place of the
// command, the entry point stays. An entry point that is an init gives way to a shell, for it would not be the
// first process: that is what instances and their startscript are for.
func runscript(c v1.ImageConfig) string {
	if isInit(c.Entrypoint, c.Cmd) || len(c.Entrypoint)+len(c.Cmd) == 0 {
		return runShell
	}
	var b strings.Builder
	b.WriteString("#!/bin/sh\n# Entry point and command of the image's OCI configuration. Arguments take the place of the command.\n\n")
	if len(c.Cmd) > 0 {
		b.WriteString("if [ $# -eq 0 ]; then\n\tset -- " + quoteAll(c.Cmd) + "\nfi\n")
	}
	b.WriteString("exec ")
	if len(c.Entrypoint) > 0 {
		b.WriteString(quoteAll(c.Entrypoint) + " ")
	}
	b.WriteString("\"$@\"\n")
	return b.String()
}

// startscript returns the script that an instance starts: the image's init, if it has one.
func startscript(c v1.ImageConfig) string {
	if !isInit(c.Entrypoint, c.Cmd) {
		return "#!/bin/sh\n# Instances of this image start nothing.\n"
	}
	return "#!/bin/sh\n# The init of the image's OCI configuration.\n\nexec " +
		quoteAll(append(append([]string{}, c.Entrypoint...), c.Cmd...)) + " \"$@\"\n"
}

// isInit says whether what an image starts is an init, which wants to be process 1.
func isInit(entrypoint, cmd []string) bool {
	all := entrypoint
	if len(all) == 0 {
		all = cmd
	}
	if len(all) == 0 {
		return false
	}
	switch path.Base(all[0]) {
	case "init", "systemd", "openrc-init", "runit-init", "s6-svscan":
		return true
	}
	return false
}
