[ -d /etc/portage ] || has emerge || die "repos: there is no Portage in this root"

# entry NAME TEXT: an entry of repos.conf.
entry() {
    if [ -f /etc/portage/repos.conf ]; then
        # One block for all: what is there of this section goes, the new one comes.
        awk -v begin="$BLOCK_BEGIN" -v end="$BLOCK_END" -v section="[$1]" '
            $0 == begin { inside = 1; next }
            $0 == end { inside = 0; next }
            inside && /^\[/ { skip = $0 == section }
            inside { if (!skip && $0 != "") own = own $0 "\n"; next }
            { print; last = $0 }
            END {
                if (last != "") print ""
                print begin
                printf "%s", own
            }' /etc/portage/repos.conf >"$SCRATCH.repos"
        printf '%s\n%s\n' "$2" "$BLOCK_END" >>"$SCRATCH.repos"
        write_if_changed /etc/portage/repos.conf <"$SCRATCH.repos"
        rm -f "$SCRATCH.repos"
    else
        printf '# Written by xtoo.\n%s\n' "$2" >"$SCRATCH.repos"
        write_if_changed "/etc/portage/repos.conf/xtoo-$1.conf" <"$SCRATCH.repos"
        rm -f "$SCRATCH.repos"
    fi
}

printf '%s\n' "$WITH_REPOS" >"$SCRATCH.records"
# The fields one by one: `read` would take two separators as one.
while IFS= read -r record; do
    [ -n "$record" ] || continue
    field() { printf '%s\n' "$record" | cut -d "$US" -f "$1"; }
    name=$(field 1) location=$(field 2) type=$(field 3) uri=$(field 4) commit=$(field 5) priority=$(field 6)
    case $name in
    -*|*[!A-Za-z0-9_-]*|'') die "repos: \"$name\" is no name of a repository: letters, digits, _ and -" ;;
    esac
    if [ -z "$location" ]; then location=$(repo_location "$name") || location=/var/db/repos/$name; fi
    case $location in
    /?*) ;;
    *) die "repos: $name: location $location is no absolute path" ;;
    esac
    case $priority in
    ''|[0-9]*|-[0-9]*) ;;
    *) die "repos: $name: priority $priority is no number" ;;
    esac
    text="[$name]${NL}location = $location"
    if [ "$type" != none ] && [ -n "$uri" ]; then text="$text${NL}sync-type = $type${NL}sync-uri = $uri"; fi
    if [ -n "$priority" ]; then text="$text${NL}priority = $priority"; fi
    if [ -n "$commit" ]; then
        [ "$type" = git ] || die "repos: $name: only git has commits, and its type is $type"
        case ${#commit}$commit in
        40*|64*) ;;
        *) die "repos: $name: $commit is no full id of a commit" ;;
        esac
        text="$text${NL}# commit $commit${NL}auto-sync = no"
        [ "$(git_commit "$location")" = "$commit" ] || git_checkout "$uri" "$commit" "$location"
    elif [ "$type" = none ] || [ -z "$uri" ]; then
        text="$text${NL}auto-sync = no"
        [ -e "$location/profiles" ] || [ -e "$location/metadata" ] ||
            log "note: there is no repository in $location yet: an emerge before there is one says so"
    fi
    entry "$name" "$text"
done <"$SCRATCH.records"
rm -f "$SCRATCH.records"

if [ -n "$WITH_DEFAULT" ]; then entry DEFAULT "[DEFAULT]${NL}main-repo = $WITH_DEFAULT"; fi
