#!/bin/sh
# Everything that can be wrong with the source without running it. Called by `make lint`.
# Each check says what it found; all of them run, and one that failed makes the whole fail.
: "${GO:=go}" "${TAGS:=containers_image_openpgp exclude_graphdriver_btrfs exclude_graphdriver_devicemapper}"
golangci=v2.15.0
export CGO_ENABLED=0
failed=""
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT

check() {
	name=$1
	shift
	echo "lint: $name"
	"$@" || failed="$failed, $name"
}

format() {
	find . -name '*.go' -not -path './.cache/*' -exec gofmt -l {} + > "$tmp/unformatted" || return 1
	[ ! -s "$tmp/unformatted" ] || { echo "not formatted (gofmt -w):"; cat "$tmp/unformatted"; return 1; }
}

linters() {
	bin=.cache/bin/golangci-lint-$golangci
	if [ ! -x "$bin" ]; then
		# Built from source by the module proxy's copy, beside our own modules; .cache ignores itself.
		mkdir -p .cache/bin && echo '*' > .cache/.gitignore || return 1
		GOBIN=$PWD/.cache/bin GOFLAGS="" $GO install -trimpath github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$golangci || return 1
		mv .cache/bin/golangci-lint "$bin" || return 1
	fi
	"$bin" run ./...
}

# generated: what gendocs makes now is what is committed in docs/.
generated() {
	$GO run -buildvcs=false -tags "$TAGS" ./internal/gendocs -o "$tmp/docs" || return 1
	rc=0
	for f in $(cd "$tmp/docs" && find . -type f); do
		cmp -s "$tmp/docs/$f" "docs/$f" || { echo "docs/${f#./} is not what gendocs makes: go run -tags \"$TAGS\" ./internal/gendocs -o docs"; rc=1; }
	done
	return $rc
}

# exported: no exported name without a user outside of its package.
exported() { GOFLAGS="-tags=$(echo "$TAGS" | tr ' ' ,)" $GO run -buildvcs=false ./internal/exportcheck; }

scripts() {
	rc=0
	for f in scripts/*.sh scripts/ci/*.sh .ci/run; do
		case $(head -n 1 "$f") in *bash*) bash -n "$f" ;; *) sh -n "$f" ;; esac || rc=1
	done
	if command -v shellcheck >/dev/null; then
		shellcheck -x scripts/*.sh scripts/ci/*.sh .ci/run || rc=1
		# Those of steps see variables and functions that are not in their files.
		shellcheck -s sh -S warning -e SC2154,SC2034 projects/library/sh/*.sh projects/library/steps/*/*.sh || rc=1
	else
		echo "lint: no shellcheck on the PATH: the scripts are parsed only"
	fi
	return $rc
}

check "format" format
check "go vet" "$GO" vet -tags "$TAGS" ./...
check "golangci-lint $golangci" linters
check "go mod tidy" "$GO" mod tidy -diff
check "go mod verify" "$GO" mod verify
check "generated files" generated
check "exported names" exported
check "shell scripts" scripts

[ -z "$failed" ] || { echo "lint: failed:${failed#,}" >&2; exit 1; }
echo "lint: nothing to complain about"
