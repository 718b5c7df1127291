# Fetching one commit of a git repository, the same files whoever fetches and when. Needs portage.sh.

# git_checkout URI COMMIT DIRECTORY: DIRECTORY gets the files of the commit, with its submodules at what the commit says, without history: what git
# keeps beside them (packs, an index with times and inode numbers, logs) is never the same twice. What was in DIRECTORY goes.
git_checkout() {
    has git || die "git is needed to fetch a commit, and this root has none: install it first (step packages: dev-vcs/git)"
    [ -n "$1" ] || die "$3: it is not known where commit $2 is to be fetched from: say uri"
    # A volume is no part of the image, and may be others', too.
    if mounted "$3"; then die "$3 is in a volume, and so in no layer: a commit's files are to be in the image: take the volume away"; fi
    git_new=$3.xtoo-new
    rm -rf "$git_new"
    mkdir -p "$git_new"
    # Nothing of a user's or the machine's configuration.
    export GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null GIT_TERMINAL_PROMPT=0
    git -C "$git_new" init -q
    # One commit alone, where the server gives it out; else all of it.
    git -C "$git_new" fetch -q --depth=1 "$1" "$2" 2>/dev/null ||
        git -C "$git_new" fetch -q "$1" '+refs/heads/*:refs/remotes/origin/*' ||
        die "fetching $1 failed (above it says why)"
    git -C "$git_new" -c advice.detachedHead=false checkout -q "$2" || die "$1 has no commit $2"
    if [ -e "$git_new/.gitmodules" ]; then
        git -C "$git_new" remote add origin "$1"
        git -C "$git_new" submodule -q update --init --recursive || die "fetching the submodules of $1 failed (above it says why)"
    fi
    find "$git_new" -name .git -prune -exec rm -rf {} +
    rm -rf "$3"
    mv "$git_new" "$3"
    # So that tools, and the next execution, can tell what it is.
    mkdir -p "$3/metadata"
    printf '%s\n' "$2" >"$3/metadata/xtoo-commit"
}

# git_commit DIRECTORY: prints the commit that DIRECTORY was made from, or nothing.
git_commit() {
    if [ -e "$1/metadata/xtoo-commit" ]; then cat "$1/metadata/xtoo-commit"; fi
}
