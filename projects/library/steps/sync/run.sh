asked=0
[ -z "$WITH_SNAPSHOT" ] || asked=$((asked + 1))
[ -z "$WITH_COMMIT" ] || asked=$((asked + 1))
[ "$WITH_NOW" = false ] || asked=$((asked + 1))
[ $asked = 1 ] || die "sync: say one of snapshot (a day), commit, or now: true: a state that is not named is another one at each build"

pm=$(manager)
case $pm in
apt|apk)
    [ "$WITH_NOW" = true ] || die "sync: snapshots and commits are those of Portage's repositories: for $(distro), name a mirror of a day in its sources, and say now: true"
    if has apt-get; then
        apt_get update || die "sync: apt-get update failed (above it says why)"
        rm -f /var/cache/apt/*.bin
    else
        apk update || die "sync: apk update failed (above it says why)"
    fi
    exit 0 ;;
esac

if has ego && [ -d /var/git/meta-repo ] && [ "${WITH_REPO:-meta-repo}" = meta-repo ]; then
    [ -z "$WITH_SNAPSHOT" ] || die "sync: Funtoo publishes no snapshots of a day: name a commit of meta-repo"
    if [ "$WITH_NOW" = true ]; then
        before_packages
        ego sync || die "sync: ego sync failed (above it says why)"
        normalise
        exit 0
    fi
    if [ "$(git_commit /var/git/meta-repo)" = "$WITH_COMMIT" ]; then exit 0; fi
    uri=$WITH_URI
    if [ -z "$uri" ] && [ -e /var/git/meta-repo/.git ] && has git; then uri=$(git -C /var/git/meta-repo config --get remote.origin.url) || uri=; fi
    # The kits are submodules of meta-repo: its commit says which states of them belong together.
    git_checkout "${uri:-https://code.funtoo.org/bitbucket/scm/auto/meta-repo.git}" "$WITH_COMMIT" /var/git/meta-repo
    exit 0
fi

repo=${WITH_REPO:-gentoo}
where=$(repo_location "$repo") || where=/var/db/repos/$repo
if [ -n "$WITH_COMMIT" ]; then
    if [ "$(git_commit "$where")" = "$WITH_COMMIT" ]; then exit 0; fi
    uri=$WITH_URI
    if [ -z "$uri" ] && [ "$(repo_location "$repo" sync-type)" = git ]; then uri=$(repo_location "$repo" sync-uri) || uri=; fi
    if [ -z "$uri" ] && [ "$repo" = gentoo ]; then uri=https://github.com/gentoo-mirror/gentoo.git; fi
    git_checkout "$uri" "$WITH_COMMIT" "$where"
elif [ -n "$WITH_SNAPSHOT" ]; then
    [ "$repo" = gentoo ] || die "sync: there are snapshots of the repository gentoo only: name a commit of $repo"
    has emerge-webrsync || die "sync: a snapshot takes emerge-webrsync, and this root has none: name a commit"
    if [ -e "$where/metadata/xtoo-snapshot" ] && [ "$(cat "$where/metadata/xtoo-snapshot")" = "$WITH_SNAPSHOT" ]; then exit 0; fi
    before_packages
    emerge-webrsync --revert="$WITH_SNAPSHOT" || die "sync: emerge-webrsync failed (above it says why; mirrors keep snapshots for some weeks only)"
    mkdir -p "$where/metadata"
    printf '%s\n' "$WITH_SNAPSHOT" >"$where/metadata/xtoo-snapshot"
    normalise
else
    rm -f "$where/metadata/xtoo-snapshot" "$where/metadata/xtoo-commit"
    # Of several repositories only the one that was named.
    if [ -n "$WITH_REPO" ]; then set -- --sync "$repo"; else set -- --sync; fi
    emerge_environment ''
    before_packages
    emerge --ask=n --color=n "$@" || die "sync: emerge --sync failed (above it says why)"
    normalise
fi
