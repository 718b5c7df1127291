#!/bin/sh -e
# install.sh BINARY PREFIX: installs the program with its man pages and completions below PREFIX.
# MANBINARY, if set, is the program to ask for them (when BINARY is for another machine).
binary=$1 prefix=$2
ask=${MANBINARY:-$binary}
install -d "$prefix/bin" "$prefix/share/man/man1" "$prefix/share/bash-completion/completions" \
	"$prefix/share/zsh/site-functions" "$prefix/share/fish/vendor_completions.d"
install -m 755 "$binary" "$prefix/bin/xtoo"
"$ask" man "$prefix/share/man/man1"
"$ask" completion bash > "$prefix/share/bash-completion/completions/xtoo"
"$ask" completion zsh > "$prefix/share/zsh/site-functions/_xtoo"
"$ask" completion fish > "$prefix/share/fish/vendor_completions.d/xtoo.fish"
