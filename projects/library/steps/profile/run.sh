# Funtoo's profile is a directory whose file `parent` names several.
funtoo_asked=$WITH_ARCH$WITH_SUBARCH$WITH_BUILD$WITH_FLAVOR$WITH_MIX_INS
[ -n "$WITH_PROFILE$funtoo_asked" ] || die "profile: say which: profile, or on Funtoo arch, subarch, build, flavor or mix_ins"
[ -z "$WITH_PROFILE" ] || [ -z "$funtoo_asked" ] || die "profile: profile is Gentoo's way, the other parameters are Funtoo's: give one or the other"

# location NAME: where the repository is, or the end.
location() {
    repo_location "$1" && return
    for location_guess in "/var/db/repos/$1" "/var/git/meta-repo/kits/$1" "/usr/portage"; do
        if [ -d "$location_guess/profiles" ]; then printf '%s\n' "$location_guess"; return; fi
    done
    die "profile: repository $1 is not there: say in repos.conf where it is (step repos), or bring it (step sync)"
}

if [ -n "$WITH_PROFILE" ]; then
    where=$(location "${WITH_REPO:-gentoo}")
    case /$WITH_PROFILE/ in
    */../*|*/./*|*//*) die "profile: \"$WITH_PROFILE\" is no path below profiles/" ;;
    esac
    profile=$where/profiles/$WITH_PROFILE
    if [ ! -d "$profile" ]; then
        near=$(awk '!/^#/ && NF >= 2 { print $2 }' "$where/profiles/profiles.desc" 2>/dev/null | grep -F -e "${WITH_PROFILE%/*}" | sort -u | head -n 5 | tr '\n' ' ') || near=
        die "profile: there is no profile $WITH_PROFILE in $where/profiles${near:+; near it: $near}"
    fi
    link=/etc/portage/make.profile
    if [ -d "$link" ] && [ ! -L "$link" ]; then
        # A directory of one's own, which Portage allows, names the profiles it is made of.
        log "note: $link was a directory; it is replaced by a link"
        rm -rf "$link"
    fi
    # Relative, as eselect makes it: what mounts the root elsewhere finds it, too.
    link_if_changed "../..$profile" "$link"
    exit 0
fi

repo=${WITH_REPO:-core-kit}
where=$(location "$repo")
dir=/etc/portage/make.profile
[ ! -L "$dir" ] || die "profile: $dir is a link, so this is Gentoo's layout: say profile"
top=$where/profiles/funtoo/1.0/linux-gnu

# The lines are Funtoo's own: core-kit:funtoo/1.0/linux-gnu/arch/x86-64bit and so on, in the order arch, subarch, build, flavor, mix-ins.
want() {
    [ -n "$2" ] || return 0
    [ -d "$top/$3" ] || die "profile: there is no $1 $2 in $top (looked for $3)"
    printf '%s\n' "$repo:funtoo/1.0/linux-gnu/$3"
}
of_kind() { if [ -f "$dir/parent" ]; then grep "^[^:]*:funtoo/1\.0/linux-gnu/$1/" "$dir/parent" || :; fi; }

arch=$WITH_ARCH
if [ -z "$arch" ]; then arch=$(of_kind arch | head -n 1 | sed 's,.*/arch/,,; s,/.*,,'); fi
if [ -n "$WITH_ARCH" ]; then want arch "$WITH_ARCH" "arch/$WITH_ARCH"; else of_kind arch | grep -v /subarch/ || :; fi >"$SCRATCH.profile"
if [ -n "$WITH_SUBARCH" ]; then
    [ -n "$arch" ] || die "profile: a subarch needs an arch, and $dir has none: say arch"
    want subarch "$WITH_SUBARCH" "arch/$arch/subarch/$WITH_SUBARCH"
elif [ -z "$WITH_ARCH" ]; then of_kind arch | grep /subarch/ || :
fi >>"$SCRATCH.profile"
if [ -n "$WITH_BUILD" ]; then want build "$WITH_BUILD" "build/$WITH_BUILD"; else of_kind build; fi >>"$SCRATCH.profile"
if [ -n "$WITH_FLAVOR" ]; then want flavor "$WITH_FLAVOR" "flavor/$WITH_FLAVOR"; else of_kind flavor; fi >>"$SCRATCH.profile"
if [ -n "$WITH_MIX_INS" ]; then
    printf '%s\n' "$WITH_MIX_INS" >"$SCRATCH.mixins"
    while read -r mixin; do want mix-in "$mixin" "mix-ins/$mixin"; done <"$SCRATCH.mixins" >>"$SCRATCH.profile"
    rm -f "$SCRATCH.mixins"
else
    of_kind mix-ins >>"$SCRATCH.profile"
fi
# What is none of these (a profile of the user's own) stays.
if [ -f "$dir/parent" ]; then grep -v ':funtoo/1\.0/linux-gnu/\(arch\|build\|flavor\|mix-ins\)/' "$dir/parent" || :; fi >>"$SCRATCH.profile"
write_if_changed "$dir/parent" <"$SCRATCH.profile"
rm -f "$SCRATCH.profile"
