#!/bin/sh -e
# Builds examples/demo into $OUT, and says what came out. Called by `make demo`.
out=${OUT:-out}
oci=$out/oci sif=$out/sif

echo "== the example tree, from a stage3 of $(wc -c < .demo/stage3.tar.xz) bytes"
# --force: what an older demo left may be replaced.
bin/xtoo build -C examples/demo --oci-layout "$oci" --sif "$sif/" --force

echo
echo "== what came out"
bin/xtoo tree -C examples/demo
wc -c "$oci/index.json" "$sif"/*.sif | sed '$d' | awk '{printf "%10d  %s\n", $1, $2}'

cat <<END

== have a look (podman and apptainer are not needed to build, but know what to do with the results)
podman run --rm oci:$oci:next/host/greeter you
apptainer run $sif/next-host-greeter.sif you

Change a script below examples/demo and run \`make demo\` again: only what depends on it is built.
END
