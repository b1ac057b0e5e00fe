#!/usr/bin/env bash
# Compiles what test/gpu/check.py needs into build/gpu, on a machine with nvcc; needs no GPU. The folder then runs on a
# machine with a GPU and python3 (numpy), without Node or nvcc:
#   test/gpu/bundle.sh [shape:quant ...]      e.g. llama-1b:Q8_0 llama-1b:Q4_K_M
#   build/gpu/check.py                        there
# Of synthetic models only the headers are written here; the GPU machine writes the whole files.
set -euo pipefail
cd "$(dirname "$0")/../.."
bundle=build/gpu
models=build/models
mkdir -p "$bundle" "$models"
compile() { node dist/compiler/cli.js "$1" --target cuda --arch sm_90a -o "$2" --quiet; }
for model in test/fixtures/golden/*.gguf; do
  name=$(basename "$model" .gguf)
  compile "$model" "$bundle/golden/$name"
  cp "test/fixtures/golden/$name".{gguf,json,logits.f32} "$bundle/golden/$name/"
done
for item in "$@"; do
  name=${item/:/-}
  [ -f "$models/$name.gguf" ] || python3 test/gpu/synth_gguf.py --header "$models" "$item"
  compile "$models/$name.gguf" "$bundle/synth/$name"
done
cp test/gpu/check.py test/gpu/synth_gguf.py "$bundle/"
git describe --always --dirty --abbrev=9 > "$bundle/commit" || echo unknown > "$bundle/commit"
du -sh "$bundle"
