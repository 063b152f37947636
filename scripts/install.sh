#!/bin/sh
# Puts the program, the one with libtorch beside it and the libraries that this needs below PREFIX, where they find each
# other from anywhere, with manual pages and what shells complete.
#     scripts/install.sh PROGRAM LIBTORCH PREFIX
set -eu
program=$1 libtorch=$2 prefix=$3
[ -x "$program" ] || { echo "no program $program: run \`make build\`" >&2; exit 66; }
beside=$(dirname "$program")/strata-libtorch
[ -x "$beside" ] || { echo "no program $beside: run \`make build\`" >&2; exit 66; }
[ -d "$libtorch/lib" ] || { echo "no libtorch in $libtorch: run \`make setup\`" >&2; exit 66; }
mkdir -p "$prefix/bin" "$prefix/lib/strata"
# As a whole: a program that runs keeps the old file.
replace() {
    cp -L --reflink=auto "$1" "$2.new"
    mv "$2.new" "$2"
}
for library in "$libtorch"/lib/*.so*; do
    replace "$library" "$prefix/lib/strata/$(basename "$library")"
done
replace "$beside" "$prefix/lib/strata/strata-libtorch"
replace "$program" "$prefix/bin/strata"

"$prefix/bin/strata" man "$prefix/share/man/man1"
completions() {
    mkdir -p "$(dirname "$2")"
    "$prefix/bin/strata" completions "$1" > "$2"
}
completions bash "$prefix/share/bash-completion/completions/strata"
completions zsh "$prefix/share/zsh/site-functions/_strata"
completions fish "$prefix/share/fish/vendor_completions.d/strata.fish"
