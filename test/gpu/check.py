#!/usr/bin/env python3
"""Check and measure compiled artifacts on a machine with a GPU. See bundle.sh, which makes the folder this runs in.

    check.py [--sanitize NAME,...] [--bench SHAPE:QUANT,...] [--json FILE] [--skip-golden]

For every golden model: NMSE of the logits against the golden file at most 1e-5, eager equal to the graph bit for bit.
--sanitize: compute-sanitizer memcheck and racecheck on these golden models. --bench: writes the models with
synth_gguf.py, checks that their logits are finite, prints `replay --bench`. Ends with exit code 1 if anything failed.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import time

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
failures = []


def run(*command, limit=300):
    """Runs a command under a time limit; returns its standard output, or None after printing why it failed."""
    done = subprocess.run(["timeout", str(limit), *map(str, command)], capture_output=True, text=True)
    if done.returncode == 0:
        return done.stdout
    failures.append(" ".join(map(str, command)))
    print(f"FAILED ({done.returncode}): {failures[-1]}\n{done.stdout[-3000:]}{done.stderr[-3000:]}", flush=True)
    return None


def check(name, holds, text):
    print(f"{'ok  ' if holds else 'FAIL'} {name}: {text}", flush=True)
    if not holds:
        failures.append(f"{name}: {text}")


def logits(folder, model, tokens, mode, vocab):
    out = pathlib.Path("/tmp") / f"{folder.name}.{mode}.f32"
    line = ",".join(map(str, tokens))
    if run(folder / "replay", "--model", model, "--tokens", line, "--mode", mode, "--logits", out) is None:
        return None
    return np.fromfile(out, "<f4").reshape(len(tokens), vocab)


def check_golden(folder):
    spec = json.loads((folder / f"{folder.name}.json").read_text())
    want = np.fromfile(folder / spec["logits"], "<f4").reshape(spec["shape"]).astype(np.float64)
    model = folder / spec["model"]
    graph, eager = (logits(folder, model, spec["tokens"], mode, spec["shape"][1]) for mode in ("graph", "eager"))
    if graph is None or eager is None:
        return
    nmse = ((graph - want) ** 2).sum() / (want**2).sum()
    check(folder.name, nmse <= 1e-5, f"nmse {nmse:.2e}")
    check(folder.name, np.array_equal(graph.view(np.uint32), eager.view(np.uint32)), "eager equals graph")


def sanitize(folder):
    spec = json.loads((folder / f"{folder.name}.json").read_text())
    tokens = ",".join(map(str, spec["tokens"][:6]))
    for tool in ("memcheck", "racecheck"):
        out = run("compute-sanitizer", "--tool", tool, "--error-exitcode", 9, folder / "replay", "--model",
                  folder / spec["model"], "--tokens", tokens, "--mode", "graph")
        check(folder.name, out is not None, tool)


def bench(item, models):
    name = item.replace(":", "-")
    folder, model = HERE / "synth" / name, models / f"{name}.gguf"
    if not model.exists():
        run(sys.executable, HERE / "synth_gguf.py", models, item, limit=600)
    manifest = json.loads((folder / "plan.json").read_text())
    values = logits(folder, model, [1, 2, 3, 4], "graph", manifest["model"]["vocabSize"])
    if values is None:
        return None
    check(name, bool(np.isfinite(values).all()), f"finite logits, std {values.std():.3f}")
    results = []
    for extra in ([], ["--depth", "4096"]):
        text = run(folder / "replay", "--model", model, "--bench", "--json", *extra)
        if text is not None:
            print(text.strip(), flush=True)
            results.append(json.loads(text))
    return results


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sanitize", default="")
    parser.add_argument("--bench", default="")
    parser.add_argument("--models", default="/tmp/models", type=pathlib.Path)
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--skip-golden", action="store_true")
    options = parser.parse_args()
    start = time.time()
    subprocess.run(["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"], check=True)
    for folder in [] if options.skip_golden else sorted((HERE / "golden").iterdir()):
        check_golden(folder)
    for name in filter(None, options.sanitize.split(",")):
        sanitize(HERE / "golden" / name)
    options.models.mkdir(parents=True, exist_ok=True)
    results = {item: bench(item, options.models) for item in filter(None, options.bench.split(","))}
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))
    print(f"{len(failures)} failures, {time.time() - start:.0f} s")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
