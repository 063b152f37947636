#!/bin/sh
# Puts the program and the libraries it needs below PREFIX, where it finds them from anywhere, with its
# manual pages and what shells complete.
#     scripts/install.sh PROGRAM LIBTORCH PREFIX
set -eu
program=$1 libtorch=$2 prefix=$3
[ -x "$program" ] || { echo "no program $program: run \`make build\`" >&2; exit 66; }
[ -d "$libtorch/lib" ] || { echo "no libtorch in $libtorch: run \`make setup\`" >&2; exit 66; }
mkdir -p "$prefix/bin" "$prefix/lib/strata"
for library in "$libtorch"/lib/*.so*; do
    # Replaced as a whole: a program that runs keeps the old file.
    target=$prefix/lib/strata/$(basename "$library")
    cp -L --reflink=auto "$library" "$target.new"
    mv "$target.new" "$target"
done
cp "$program" "$prefix/bin/strata.new"
mv "$prefix/bin/strata.new" "$prefix/bin/strata"

"$prefix/bin/strata" man "$prefix/share/man/man1"
completions() {
    mkdir -p "$(dirname "$2")"
    "$prefix/bin/strata" completions "$1" > "$2"
}
completions bash "$prefix/share/bash-completion/completions/strata"
completions zsh "$prefix/share/zsh/site-functions/_strata"
completions fish "$prefix/share/fish/vendor_completions.d/strata.fish"
