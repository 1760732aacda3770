#!/bin/bash -eu
# Builds each target as OSS-Fuzz wants it: $CC, $CXX, $CFLAGS and
# $LIB_FUZZING_ENGINE make programs in $OUT, each with its seeds
# (NAME_seed_corpus.zip), words (NAME.dict) and limits (NAME.options).
# Called in the repository's top folder; $WORK is scratch.

# The machine that fuzzes has none of our libraries: they go along, and a
# program looks for them beside itself, also for those that they need.
export LDFLAGS="${LDFLAGS:-} -Wl,--disable-new-dtags,-rpath,\$ORIGIN/lib"

build=$WORK/weighhouse
rm -rf "$build"
meson setup "$build" . --buildtype=plain -Dfuzz=true \
	-Dfuzz_engine="$LIB_FUZZING_ENGINE" -Dlate=disabled -Db_lundef=false \
	-Ddefault_library=static
ninja -C "$build"

mkdir -p "$OUT/lib"
for program in "$build"/tests/fuzz/fuzz_*; do
	[ -f "$program" ] && [ -x "$program" ] || continue
	cp "$program" "$OUT/"
	# Not those of the system's own libc, and of the compiler.
	ldd "$program" | awk '$2 == "=>" && $3 ~ /^\// { print $3 }' |
		grep -Ev '/(libc|libm|libdl|librt|libresolv|libpthread|libgcc_s|libstdc\+\+)\.so' |
		xargs -r cp -Lnt "$OUT/lib"
done
python3 tests/fuzz/fuzz.py --pack "$OUT"
