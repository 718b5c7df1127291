# What package managers write differently each time is made the same: `before_packages` notes what there is, `normalise` puts right what came.
# docs/reproducible.md lists what is done.
NOTES=${TMPDIR:-/tmp}/xtoo-packages     # on tmpfs, so in no layer

# Files and small directories that are afterwards as they were before: logs, caches that are made again, what is random.
as_before() {
    cat <<'LIST'
/etc/machine-id
/etc/portage/gnupg
/var/cache/debconf/config.dat-old
/var/cache/debconf/passwords.dat-old
/var/cache/debconf/templates.dat-old
/var/cache/edb/binhost
/var/cache/edb/dep
/var/cache/edb/mtimedb
/var/cache/edb/vdb_blockers.pickle
/var/cache/edb/vdb_metadata.pickle
/var/cache/edb/vdb_metadata_delta.json
/var/cache/ldconfig/aux-cache
/var/lib/dbus/machine-id
/var/lib/dpkg/diversions-old
/var/lib/dpkg/status-old
/var/lib/dpkg/statoverride-old
/var/lib/systemd/random-seed
/var/lib/urandom/random-seed
/var/log/alternatives.log
/var/log/apk.log
/var/log/apt
/var/log/dpkg.log
/var/log/emerge-fetch.log
/var/log/emerge.log
/var/log/fontconfig.log
/var/log/portage
LIST
}

# Directories from which new files go: what was fetched, built, or is made again. Where a volume is mounted they are left alone.
emptied() {
    cat <<'LIST'
/var/cache/apk
/var/cache/apt
/var/cache/binhost
/var/cache/distfiles
/var/cache/edb/binhost
/var/cache/fontconfig
/var/cache/man
/var/cache/portage/distfiles
/var/lib/apt/lists
/var/tmp/binpkgs
/var/tmp/portage
/usr/portage/distfiles
LIST
    emptied_own=DISTDIR
    # Packages that were asked for (FEATURES=buildpkg) stay; others are those that were fetched.
    case " ${FEATURES:-} " in
    *' buildpkg '*) ;;
    *)
        printf '%s\n' /var/cache/binpkgs /var/cache/portage/packages /usr/portage/packages
        emptied_own='DISTDIR PKGDIR' ;;
    esac
    # Where make.conf has them.
    if has portageq; then
        portageq envvar $emptied_own | grep '^/.*/.' || :
    fi
}

# volatile: prints the files that are in directories to be emptied.
volatile() {
    while read -r path; do
        [ ! -d "$path" ] || mounted "$path" || find "$path" ! -type d
    done <"$NOTES/emptied"
}

# lists_directories: prints the directories that apt makes beside its lists, the innermost first.
lists_directories() {
    mounted /var/lib/apt/lists || find /var/lib/apt/lists -mindepth 1 -depth -type d 2>/dev/null || :
}

# added OLD: of the lines on standard input, those that are not in the file OLD.
added() {
    awk -v old="$1" 'BEGIN { while ((getline line < old) > 0) known[line] = 1 } !($0 in known)'
}

before_packages() {
    rm -rf "$NOTES"
    mkdir -p "$NOTES/kept"
    date +%s >"$NOTES/start"
    as_before | while read -r path; do
        [ -e "$path" ] && ! mounted "$path" || continue
        mkdir -p "$NOTES/kept${path%/*}"
        cp -a "$path" "$NOTES/kept$path"
    done
    emptied | sort -u >"$NOTES/emptied"
    volatile >"$NOTES/files"
    lists_directories >"$NOTES/lists"
    find /etc/ssh -name 'ssh_host_*' >"$NOTES/hostkeys" 2>/dev/null || :
    for path in /etc/ld.so.cache /etc/shadow; do
        [ ! -e "$path" ] || cp -a "$path" "$NOTES/${path##*/}"
    done
    # Packages of Debian start their services when they are installed; here nothing is to run.
    if [ -d /var/lib/dpkg ] && [ ! -e /usr/sbin/policy-rc.d ]; then
        printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
        chmod 0755 /usr/sbin/policy-rc.d
        : >"$NOTES/policy"
    fi
    vdb before
}

normalise() {
    [ ! -e "$NOTES/policy" ] || rm -f /usr/sbin/policy-rc.d
    as_before | while read -r path; do
        if mounted "$path"; then
            continue
        elif [ ! -e "$NOTES/kept$path" ]; then
            rm -rf "$path"
        elif ! diff -rq "$NOTES/kept$path" "$path" >/dev/null 2>&1; then
            rm -rf "$path"
            cp -a "$NOTES/kept$path" "$path"
        fi
    done
    volatile | added "$NOTES/files" | while read -r path; do
        mounted "$path" || rm -f "$path"
    done
    # Lists of packages are there or not: apt takes what is between for lists.
    lists_directories | added "$NOTES/lists" | while read -r path; do
        rmdir "$path" 2>/dev/null || :
    done
    # Directories of unfinished work.
    mounted /var/tmp/portage || find /var/tmp/portage -mindepth 1 -depth -type d -exec rmdir {} + 2>/dev/null || :
    # Keys that a package made for this machine: in an image they would be everybody's.
    find /etc/ssh -name 'ssh_host_*' 2>/dev/null | added "$NOTES/hostkeys" | while read -r path; do
        log "removed $path: each machine makes its own"
        rm -f "$path"
    done
    find /var/db -maxdepth 4 -name '.*.portage_lockfile' -exec rm -f {} + 2>/dev/null || :
    days_of_passwords /etc/shadow
    days_of_passwords /etc/shadow-
    vdb after
    # The order in which ldconfig was told of directories shows in its cache; from all of them at once it comes out the same.
    if has ldconfig && [ -e /etc/ld.so.cache ] && ! cmp -s /etc/ld.so.cache "$NOTES/ld.so.cache"; then
        rm -f /etc/ld.so.cache
        ldconfig -X -i
        [ -e "$NOTES/kept/var/cache/ldconfig/aux-cache" ] || rm -f /var/cache/ldconfig/aux-cache
    fi
    find /etc -name '._cfg????_*' 2>/dev/null | sort | while read -r path; do
        log "note: $path is the package's version of a file that was changed: merge or remove it"
    done
    rm -rf "$NOTES"
}

# days_of_passwords FILE: accounts that were not there before were made on no later day than that of SOURCE_DATE_EPOCH.
days_of_passwords() {
    [ -f "$1" ] && [ -n "${SOURCE_DATE_EPOCH:-}" ] || return 0
    [ -e "$NOTES/shadow" ] || : >"$NOTES/shadow"
    awk -F: -v OFS=: -v days="$((SOURCE_DATE_EPOCH / 86400))" -v old="$NOTES/shadow" '
        BEGIN { while ((getline line < old) > 0) { split(line, f, ":"); known[f[1]] = 1 } }
        !($1 in known) && $3 + 0 > days + 0 { $3 = days }
        { print }' "$1" >"$NOTES/days"
    cmp -s "$NOTES/days" "$1" || cat "$NOTES/days" >"$1"
}

# vdb before|after: Portage's database of installed packages, which takes Python: where Portage is, that is, too.
vdb() {
    [ -d /var/db/pkg ] || return 0
    if ! has python3; then
        has emerge || return 0
        die "normalising Portage's database takes python3, and this root has none"
    fi
    PYTHONDONTWRITEBYTECODE=1 python3 - "$1" "$NOTES" <<'PYTHON'
import hashlib, os, re, sys

mode, notes = sys.argv[1:]
DB = "/var/db/pkg"

def read(path):
    try:
        with open(path, "rb") as f:
            return f.read()
    except (FileNotFoundError, NotADirectoryError):
        return None

def write(path, data):
    """In place, so that owner and mode stay."""
    if read(path) != data:
        with open(path, "wb") as f:
            f.write(data)

def number(data):
    return int(data) if data is not None and data.strip().isdigit() else None

def packages():
    for category in sorted(os.listdir(DB)):
        if category.startswith(".") or not os.path.isdir(os.path.join(DB, category)):
            continue
        for name in sorted(os.listdir(os.path.join(DB, category))):
            if name[0] not in ".-" and os.path.isdir(os.path.join(DB, category, name)):
                yield category + "/" + name

def state(package):
    counter = number(read(os.path.join(DB, package, "COUNTER")))
    try:
        st = os.lstat(os.path.join(DB, package, "CONTENTS"))
        return "%s %d %d" % (counter, st.st_size, st.st_mtime_ns)
    except FileNotFoundError:
        return "%s 0 0" % counter

now = {p: state(p) for p in packages()}
if mode == "before":
    with open(os.path.join(notes, "vdb"), "w") as f:
        f.writelines("%s %s\n" % i for i in now.items())
    sys.exit()

with open(os.path.join(notes, "vdb")) as f:
    old = dict(line.rstrip("\n").split(" ", 1) for line in f)
new = [p for p in now if old.get(p) != now[p]]
start = int(read(os.path.join(notes, "start")))
epoch = int(os.environ.get("SOURCE_DATE_EPOCH") or start)

def clamp(t):
    """The time that a file of the layer has if the file of this node has t."""
    return epoch if t > epoch or t >= start else t

# Variables of bash and of the machine that Portage versions have let through into the saved environment.
PASSING = re.compile(rb"declare (-[a-zA-Z-]+ )?(-- )?(BASHPID|BASH_[A-Z]+|COLUMNS|LINES|EPOCHREALTIME|EPOCHSECONDS|SRANDOM|RANDOM|SECONDS|LINENO|"
                     rb"SHLVL|PPID|HOSTNAME|MAKEOPTS|MAKEFLAGS|NINJAOPTS|QEMU_[A-Z_]+|XTOO_[A-Z0-9_]+|WITH_[A-Z0-9_]+)(=.*)?$")

def environment(path):
    data = read(path)
    if data is None:
        return
    import bz2
    try:
        text = bz2.decompress(data)
    except OSError:
        return  # not for us to judge
    kept = b"\n".join(l for l in text.split(b"\n") if not PASSING.match(l))
    write(path, bz2.compress(kept, 9))

def compiled(path):
    """Compiled Python names the time of its source, and the source has another one in the layer."""
    m = re.match(r"(.*)/__pycache__/([^/]+)\.cpython-\d+(\.opt-\w+)?\.pyc$", path)
    data = read(path) if m and not os.path.islink(path) else None
    if not data or len(data) < 16 or data[4:8] != b"\0\0\0\0":
        return None
    try:
        want = clamp(int(os.lstat(m.group(1) + "/" + m.group(2) + ".py").st_mtime)) & 0xFFFFFFFF
    except FileNotFoundError:
        return None
    if int.from_bytes(data[8:12], "little") == want:
        return None
    data = data[:8] + want.to_bytes(4, "little") + data[12:]
    write(path, data)
    return hashlib.md5(data).hexdigest().encode()

def contents(path):
    """Lines of CONTENTS: obj PATH MD5 TIME, sym PATH -> TARGET TIME, dir|fif|dev PATH; in the order of directories as the file system had them."""
    data = read(path)
    if data is None:
        return
    lines = []
    for line in data.split(b"\n"):
        if not line:
            continue
        m = re.match(rb"obj (.*) ([0-9a-f]{32}) (\d+)$", line)
        if m:
            name, md5, t = m.groups()
            md5 = compiled(os.fsdecode(name)) or md5
            line = b"obj %s %s %d" % (name, md5, clamp(int(t)))
        m = m or re.match(rb"sym (.*) -> (.*) (\d+)$", line)
        if line.startswith(b"sym ") and m:
            line = b"sym %s -> %s %d" % (m.group(1), m.group(2), clamp(int(m.group(3))))
        lines.append((m.group(1) if m else line.partition(b" ")[2], line))
    write(path, b"".join(l + b"\n" for _, l in sorted(lines)))

def metadata(path, values):
    """Newer versions of Portage keep KEY=value lines of all of it in one file, too."""
    data = read(path)
    if data is None:
        return
    for key, value in values.items():
        data = re.sub(rb"(?m)^" + key.encode() + rb"=.*$", key.encode() + b"=" + value, data)
    write(path, data)

counter = max([int(s.split()[0]) for s in old.values() if s[0] != "N"], default=0)
moved = {}
for p in new:
    d = os.path.join(DB, p)
    values = {}
    c = read(os.path.join(d, "COUNTER"))
    if number(c) is not None:
        counter += 1
        moved[p] = (c.strip().decode(), str(counter))
        values["COUNTER"] = str(counter).encode()
        write(os.path.join(d, "COUNTER"), values["COUNTER"] + (b"\n" if c.endswith(b"\n") else b""))
    built = read(os.path.join(d, "BUILD_TIME"))
    # A binary package's time is its own; emerge compares it with that of the binhost.
    if number(built) is not None and not os.path.exists(os.path.join(d, "BINPKGMD5")) and clamp(int(built)) != int(built):
        values["BUILD_TIME"] = str(epoch).encode()
        write(os.path.join(d, "BUILD_TIME"), values["BUILD_TIME"] + (b"\n" if built.endswith(b"\n") else b""))
    metadata(os.path.join(d, "metadata"), values)
    environment(os.path.join(d, "environment.bz2"))
    contents(os.path.join(d, "CONTENTS"))
    for name in ("NEEDED", "NEEDED.ELF.2"):
        data = read(os.path.join(d, name))
        if data:
            write(os.path.join(d, name), b"".join(l + b"\n" for l in sorted(data.splitlines())))

if read("/var/cache/edb/counter") is not None and moved:
    write("/var/cache/edb/counter", str(counter).encode())
config = read("/var/lib/portage/config")
if config:
    write("/var/lib/portage/config", b"".join(l + b"\n" for l in sorted(config.splitlines())))
# Libraries that were kept for others are those of the package with this number.
kept = read("/var/lib/portage/preserved_libs_registry")
if kept and moved:
    import json
    try:
        registry = json.loads(kept)
    except ValueError:
        registry = {}
    changed = False
    for entry in registry.values():
        if isinstance(entry, list) and len(entry) == 3 and entry[0] in moved and str(entry[1]) == moved[entry[0]][0]:
            entry[1] = moved[entry[0]][1]
            changed = True
    if changed:
        write("/var/lib/portage/preserved_libs_registry", json.dumps(registry, indent="\t", sort_keys=True).encode() + b"\n")
PYTHON
}
