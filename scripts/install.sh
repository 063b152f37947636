#!/bin/sh
# Puts the program and the libraries it needs below PREFIX, where it finds them from anywhere.
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
