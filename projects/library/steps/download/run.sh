# digest FILE: prints its SHA-256.
digest() {
    if has sha256sum; then
        sha256sum "$1" | cut -c 1-64
    elif has openssl; then
        openssl dgst -sha256 -r "$1" | cut -c 1-64
    else
        die "download: the root has neither sha256sum nor openssl"
    fi
}

# fits FILE: whether it has the digest that is asked for.
fits() { [ -f "$1" ] && [ "$(digest "$1")" = "$WITH_SHA256" ]; }

# fetch FILE
fetch() {
    if has curl; then
        curl -fsSL --retry 3 --connect-timeout 30 -o "$1" "$WITH_URL"
    elif has wget; then
        wget -q -O "$1" "$WITH_URL"
    elif has python3; then
        python3 -c 'import shutil,sys,urllib.request
with urllib.request.urlopen(sys.argv[1], timeout=60) as got, open(sys.argv[2], "wb") as to: shutil.copyfileobj(got, to)' "$WITH_URL" "$1"
    else
        die "download: the root has none of curl, wget and python3: install one, or give file"
    fi
}

# find_file: sets found to a file with the digest: the one that is there, the one given, one in a cache, or the one fetched.
find_file() {
    found=$to
    if fits "$found"; then return 0; fi
    if [ -n "$WITH_FILE" ]; then
        found=$WITH_FILE
        fits "$found" || die "download: the file that is given has the digest $(digest "$found"), not $WITH_SHA256"
        return 0
    fi
    for dir in $WITH_CACHE; do
        for found in "$dir/$name" "$dir/$WITH_SHA256"; do
            if fits "$found"; then return 0; fi
        done
    done
    found=$SCRATCH.download
    fetch "$found" || die "download: $WITH_URL cannot be fetched; without a network it is given with file, or lies in a directory of cache"
    fits "$found" || die "download: what $WITH_URL gives has the digest $(digest "$found"), not $WITH_SHA256"
}

name=${WITH_URL%%[?#]*}
name=${name##*/}
to=$WITH_TO
case $to in
*/)
    [ -n "$name" ] || die "download: the URL ends with no name: give one in to"
    to=$to$name
    ;;
esac
owner_ids download "$WITH_OWNER" "$WITH_GROUP"
find_file
make_directory "${to%/*}" 0 0 0755
put_file "$found" "$to" "$owner_uid" "$owner_gid" "$WITH_MODE"
rm -f "$SCRATCH.download"
