#!/usr/bin/env bash
# Makes what test/gpu/check.py needs, build/gpu, on a machine without a GPU:
#   test/gpu/bundle.sh [--source] [--architectures] [shape:quant ...]      e.g. llama-1b:Q8_0 llama-1b:Q4_K_M
#   build/gpu/check.py                                                     on a machine with a GPU and python3 (numpy)
# Artifacts are compiled here, which takes nvcc; with --source they are only emitted, and check.py --build compiles them on the
# machine with the GPU, which then takes nvcc and CMake. Neither needs Node there. --architectures: the models of
# test/fixtures/llama_cpp as well. Of synthetic models only the headers are written here; the GPU machine writes the files.
set -euo pipefail
cd "$(dirname "$0")/../.."
bundle=build/gpu
models=build/models
emit=() architectures=false
while [[ ${1:-} == --* ]]; do
  case $1 in
    --source) emit=(--no-build) ;;
    --architectures) architectures=true ;;
    *) echo "unknown option $1" >&2; exit 2 ;;
  esac
  shift
done
mkdir -p "$bundle" "$models"
compile() { node dist/compiler/cli.js "$1" --target cuda --arch sm_90a -o "$2" --quiet --no-hash-weights "${emit[@]}" "${@:3}"; }
for model in test/fixtures/golden/*.gguf; do
  name=$(basename "$model" .gguf)
  compile "$model" "$bundle/golden/$name"
  cp "test/fixtures/golden/$name".{gguf,json,logits.f32} "$bundle/golden/$name/"
done
mkdir -p "$bundle/golden/storyteller"
compile examples/storyteller-q8_0.gguf "$bundle/golden/storyteller"
cp examples/storyteller-q8_0.gguf "$bundle/golden/storyteller/"
if $architectures; then
  npx tsc -p tsconfig.json --noEmit false --outDir build/ts
  rm -rf "$bundle/llama_cpp"
  node build/ts/test/gpu/llama_cpp_models.js "$bundle"
  for folder in "$bundle"/llama_cpp/*; do
    name=$(basename "$folder")
    compile "$folder/$name.gguf" "$bundle/golden/llama_cpp-$name"
    for end in gguf json logits.f32; do mv "$folder/$name.$end" "$bundle/golden/llama_cpp-$name/"; done
    mv "$bundle/golden/llama_cpp-$name/$name.json" "$bundle/golden/llama_cpp-$name/llama_cpp-$name.json"
  done
  rm -rf "$bundle/llama_cpp"
fi
# Models as transformers saves them, against its logits; quantized at load, against those of the host target.
safetensors() {
  local fixture="test/fixtures/transformers/$1" name="safetensors-$1${2:+-$2}"
  local folder="$bundle/golden/$name" options=${2:+--quantize $2}
  compile "$fixture" "$folder" $options
  rm -rf "$folder/model" && cp -r "$fixture" "$folder/model"
  if [ -n "$options" ]; then
    node dist/compiler/cli.js "$fixture" --target host -o "build/host/$name" --quiet $options
    "build/host/$name/replay" --model "$fixture" --logits "$folder/model/logits.f32" \
      --tokens "$(python3 -c "import json; print(*json.load(open('$fixture/tokens.json'))['tokens'], sep=',')")"
  fi
  python3 - "$folder" <<'PYTHON'
import json, pathlib, sys
folder = pathlib.Path(sys.argv[1])
tokens = json.loads((folder / "model/tokens.json").read_text())["tokens"]
spec = {"model": "model", "logits": "model/logits.f32", "tokens": tokens}
if folder.name == "safetensors-qwen3moe":  # two experts' scores are 0.00025 of their mean apart (test/oracle/reference.ts)
    spec["ties"] = [8]
(folder / f"{folder.name}.json").write_text(json.dumps(spec))
PYTHON
}
for model in gpt-oss gpt-oss-mxfp4 gemma3 phi3-longrope qwen3moe stablelm starcoder2; do safetensors $model; done
for quant in q8_0 q4_0; do safetensors llama $quant; safetensors gemma3 $quant; done
for item in "$@"; do
  name=${item/:/-}
  [ -f "$models/$name.gguf" ] || python3 test/gpu/synth_gguf.py --header "$models" "$item"
  compile "$models/$name.gguf" "$bundle/synth/$name"
done
rm -rf "$bundle/runtime"
if ((${#emit[@]})); then
  mkdir "$bundle/runtime" # what artifacts are built with
  (cd runtime && tar c CMakeLists.txt ./*.cpp ./*.h driver engine kernels replay) | tar x -C "$bundle/runtime"
fi
mkdir -p "$bundle/programs" && cp test/e2e/{sequences,engine}.cpp "$bundle/programs/"
cp test/gpu/check.py test/gpu/synth_gguf.py "$bundle/"
git describe --always --dirty --abbrev=9 > "$bundle/commit" || echo unknown > "$bundle/commit"
du -sh "$bundle"
