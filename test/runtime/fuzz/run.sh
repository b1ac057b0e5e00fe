#!/usr/bin/env bash
# run.sh FOLDER SECONDS [SEED]: builds the runtime, its simulator and the fuzzers with clang, and runs each for so long on a copy of
# the stored corpus. What is found lies in FOLDER. Exit code 1 if something was.
set -euo pipefail
[ $# -ge 2 ] || { echo "usage: run.sh FOLDER SECONDS [SEED]" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
mkdir -p "$1/objects"
cd "$1"

flags="-std=c++20 -O1 -g1 -fPIC -Wno-unknown-pragmas -fno-sanitize-recover=all -fsanitize=fuzzer-no-link,address,undefined -I$root/runtime"
sources=("$root"/runtime/{,engine/}*.cpp "$root"/runtime/driver/{host,sim}*.cpp "$root"/runtime/replay/{help,options,output_file}.cpp
  "$root"/test/runtime/tiny_*.cpp "$here"/*.cpp)
# shellcheck disable=SC2016
printf '%s\0' "${sources[@]}" |
  xargs -0 -P "$(nproc)" -I{} sh -c 'clang++ $1 -c "$2" -o "objects/$(basename "$2" .cpp).o"' sh "$flags" {}

found=0
for fuzzer in abi arguments; do
  mapfile -t common < <(ls objects/*.o | grep -v _fuzz.o)
  clang++ -fsanitize=fuzzer,address,undefined "${common[@]}" "objects/${fuzzer}_fuzz.o" -o $fuzzer -pthread -ldl
  mkdir -p "corpus/$fuzzer"
  cp "$here/corpus/$fuzzer"/* "corpus/$fuzzer"
  ./$fuzzer -max_total_time="$2" -seed="${3:-0}" -timeout=120 -rss_limit_mb=3000 -max_len=4000 -print_final_stats=1 \
    -artifact_prefix="$fuzzer-" "corpus/$fuzzer" >$fuzzer.log 2>&1 || { found=1; tail -60 $fuzzer.log; }
  sed -n "s/^stat::number_of_executed_units: /$fuzzer: inputs /p" $fuzzer.log
done
exit $found
