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
compile() { node dist/compiler/cli.js "$1" --target cuda --arch sm_90a -o "$2" --quiet --no-hash-weights "${@:3}"; }
for model in test/fixtures/golden/*.gguf; do
  name=$(basename "$model" .gguf)
  compile "$model" "$bundle/golden/$name"
  cp "test/fixtures/golden/$name".{gguf,json,logits.f32} "$bundle/golden/$name/"
done
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
shape = [len(tokens), (folder / "model/logits.f32").stat().st_size // 4 // len(tokens)]
spec = {"model": "model", "logits": "model/logits.f32", "tokens": tokens, "shape": shape}
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
cp test/gpu/check.py test/gpu/synth_gguf.py "$bundle/"
git describe --always --dirty --abbrev=9 > "$bundle/commit" || echo unknown > "$bundle/commit"
du -sh "$bundle"
