if grep -Eqs '^[[:space:]]*rc_sys="?(docker|lxc|lxd|podman|openvz|rkt|systemd-nspawn|vserver|uml)"?' /etc/rc.conf; then
    log "no kernel: this root says that it is a container (rc_sys in /etc/rc.conf)"
    exit 0
fi

pm=$(manager)
package=$WITH_PACKAGE
if [ -z "$package" ]; then
    case $pm,$(distro) in
    emerge,funtoo) package=sys-kernel/debian-sources ;;
    emerge,*) package=sys-kernel/gentoo-kernel-bin ;;
    apt,*)
        case $(dpkg --print-architecture) in
        armhf) package=linux-image-armmp ;;
        i386) package=linux-image-686 ;;
        *) package=linux-image-$(dpkg --print-architecture) ;;
        esac ;;
    apk,*) package=linux-lts ;;
    esac
fi
check_lines package.use 2 999 "$WITH_USE"

# wanted_options: the given options, CONFIG_NAME=VALUE, a line each; `n` and `# CONFIG_NAME is not set` say the same.
wanted_options() {
    printf '%s\n' "$WITH_OPTIONS" | while read -r option; do
        case $option in
        '') ;;
        CONFIG_*=n) printf '# %s is not set\n' "${option%=n}" ;;
        CONFIG_*=*) printf '%s\n' "$option" ;;
        *) die "kernel: options: \"$option\" is not CONFIG_NAME=value" ;;
        esac
    done
}
wanted_options >"$SCRATCH.options" || exit 1
[ -z "$WITH_CONFIG" ] || [ -f "$WITH_CONFIG" ] || die "kernel: config is to be one file"
has_config=false
if [ -n "$WITH_CONFIG" ] || [ -s "$SCRATCH.options" ]; then has_config=true; fi

case $pm in
emerge)
    # Distribution kernels merge what is in config.d into their configuration, where they are built.
    case $package in
    *-sources*|*-bin*) ;;
    *)
        if [ $has_config = true ]; then
            { [ -z "$WITH_CONFIG" ] || cat "$WITH_CONFIG"; cat "$SCRATCH.options"; } >"$SCRATCH.config"
            write_if_changed /etc/kernel/config.d/xtoo.config <"$SCRATCH.config"
            rm -f "$SCRATCH.config"
        fi ;;
    esac
    package_files
    if ! installed "$package"; then
        WITH_JOBS=0 # those of make
        merge kernel --noreplace "$package"
        normalise
    fi ;;
*)
    no_such "kernel: use" "$WITH_USE"
    no_such "kernel: features" "$WITH_FEATURES"
    no_such "kernel: binhost" "$WITH_BINHOST"
    if ! installed "$package"; then
        before_packages
        if [ "$pm" = apt ]; then
            apt_lists
            apt_get install -- "$package" || die "kernel: apt-get failed (above it says why)"
        else
            apk add --no-cache "$package" || die "kernel: apk failed (above it says why)"
        fi
        normalise
    fi ;;
esac

if [ "$WITH_BUILD" = false ]; then
    case $pm,$package in
    emerge,*-sources*) [ $has_config = false ] || die "kernel: $package is a package of sources: a configuration is used where they are built: say build: true" ;;
    emerge,*-bin*) [ $has_config = false ] || die "kernel: $package is built already: a configuration takes a kernel that is built here (sys-kernel/gentoo-kernel, or sources)" ;;
    emerge,*) ;;
    *) [ $has_config = false ] || die "kernel: $package is built already: a configuration takes sources" ;;
    esac
    exit 0
fi

# The sources: what the package installed, else what the link leads to.
source=
for entry in "/var/db/pkg/${package#[=~]}"-[0-9]* "/var/db/pkg/${package#[=~]}"; do
    [ -f "$entry/CONTENTS" ] || continue
    source=$(sed -n 's,^[a-z]* \(/usr/src/linux-[^/ ]*\).*,\1,p' "$entry/CONTENTS" | sort -u | tail -n 1)
done
source=${source:-/usr/src/linux}
[ -f "$source/Makefile" ] || die "kernel: there are no kernel sources in $source: $package brings none"
has make || die "kernel: building takes make and a compiler, and this root has no make"

# Beside the sources, so that these stay as they came. Names and times of the build show in the kernel.
out=/var/tmp/xtoo-kernel
rm -rf "$out"
mkdir -p "$out"
export KBUILD_BUILD_USER=xtoo KBUILD_BUILD_HOST=xtoo KBUILD_BUILD_VERSION=1
export KBUILD_BUILD_TIMESTAMP="@${SOURCE_DATE_EPOCH:-0}"
build() { make -C "$source" O="$out" "$@" || die "kernel: make $* failed in $source (above it says why)"; }

if [ -n "$WITH_CONFIG" ]; then cat "$WITH_CONFIG" >"$out/.config"; else build defconfig; fi
if [ -s "$SCRATCH.options" ]; then
    sed 's/^# \(CONFIG_[A-Za-z0-9_]*\) is not set$/\1/; s/=.*//' "$SCRATCH.options" >"$SCRATCH.names"
    awk -v names="$SCRATCH.names" '
        BEGIN { while ((getline name < names) > 0) given[name] = 1 }
        { n = $0; sub(/^# /, "", n); sub(/[= ].*/, "", n) }
        !(n in given)' "$out/.config" >"$out/.config.less"
    cat "$out/.config.less" "$SCRATCH.options" >"$out/.config"
    rm -f "$out/.config.less" "$SCRATCH.names"
fi
build olddefconfig
release=$(make -s -C "$source" O="$out" kernelrelease) && [ -n "$release" ] || die "kernel: make kernelrelease failed in $source"
if [ -e "/boot/vmlinuz-$release" ] && cmp -s "$out/.config" "/boot/config-$release"; then
    log "kernel $release is built with this configuration already"
else
    build -j"$WITH_JOBS"
    image=$(make -s -C "$source" O="$out" image_name)
    mkdir -p /boot
    if grep -q '^CONFIG_MODULES=y' "$out/.config"; then
        rm -rf "/lib/modules/$release"
        build INSTALL_MOD_STRIP=1 modules_install
        # They lead to where it was built, which goes.
        rm -f "/lib/modules/$release/build" "/lib/modules/$release/source"
    fi
    cp "$out/$image" "/boot/vmlinuz-$release"
    cp "$out/.config" "/boot/config-$release"
    cp "$out/System.map" "/boot/System.map-$release"
    log "made /boot/vmlinuz-$release"
fi
rm -rf "$out" "$SCRATCH.options"
