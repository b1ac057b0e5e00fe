#!/usr/bin/env python3
"""Check and measure compiled artifacts on a machine with a GPU. See bundle.sh, which makes the folder this runs in.

    check.py [--build] [--sanitize NAME,...] [--engine NAME,...] [--bench SHAPE:QUANT,...] [--depths 0,4096] [--profile]
             [--sequences 1,8,64] [--prompts 512,2048] [--json FILE] [--markdown FILE] [--skip-golden]
    check.py --tune DIR --model FILE

--build: compiles what bundle.sh --source has only emitted, all of it side by side.
For every golden model, and small models in safetensors files: NMSE of the logits against theirs at most 1e-5, eager equal
to the graph bit for bit; and of programs of many rows, in steps of other sizes, the same bits as of one another.
--sanitize: compute-sanitizer memcheck and racecheck on these golden models, by the token program, the smallest and the largest. --engine: the programs of test/e2e that run
engines, on these: up to 64 sequences that come and go, and threads, against each sequence alone. --bench: writes the models with
synth_gguf.py, checks that their logits are finite, prints `replay --bench` at these depths, and at the end the
table of docs/performance.md. --profile: `replay --profile` besides. --sequences: so many at once in an engine, 128 tokens
in and 128 out, by `replay --bench --sequences`; --prompts: prompts of these lengths, one at a time. --json, --markdown: what was
measured, into files. --tune: nothing of that, but `replay --profile` of each candidate that `realizar-compile --tune
--candidates DIR` left, into DIR/measurements.json for its --measurements. Ends with exit code 1 if anything failed.
"""
import argparse
import concurrent.futures
import datetime
import itertools
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
ARCHIVES = HERE / "archives"  # of the runtime, in a build folder of their own
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


def configure(folder, work, *settings):
    return run("cmake", "-G", "Ninja", "-S", folder, "-B", work, f"-DREALIZAR_RUNTIME={HERE / 'runtime'}", *settings)


def build(folder):
    """Compiles an emitted artifact in its folder."""
    work = folder / "build"
    if configure(folder, work, f"-DREALIZAR_PREBUILT={ARCHIVES / 'runtime'}") is None:
        return
    if run("cmake", "--build", work, "--parallel", 1, limit=900) is not None:
        for product in (work / "out").iterdir():
            shutil.copy(product, folder / product.name)


def build_all():
    """The runtime, which is the same for all, and then the artifacts beside each other, those that take longest first."""
    start = time.time()
    folders = [path.parent for path in HERE.glob("*/*/CMakeLists.txt")]
    folders.sort(key=lambda folder: -(folder / "kernels.cu").stat().st_size)
    configure(folders[0], ARCHIVES)
    run("cmake", "--build", ARCHIVES, "--parallel", os.cpu_count(), "--target", "realizar_runtime", "realizar_replay")
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(build, folders))
    print(f"built {len(folders)} artifacts in {time.time() - start:.0f} s", flush=True)


def logits(folder, model, tokens, mode, *more):
    out = pathlib.Path("/tmp") / f"{folder.name}.{mode}.f32"
    line = ",".join(map(str, tokens))
    if run(folder / "replay", "--model", model, "--tokens", line, "--mode", mode, "--logits", out, *more) is None:
        return None
    return np.fromfile(out, "<f4").reshape(len(tokens), -1)


def check_golden(folder):
    spec = json.loads((folder / f"{folder.name}.json").read_text())
    want = np.fromfile(folder / spec["logits"], "<f4").reshape(len(spec["tokens"]), -1).astype(np.float64)
    model = folder / spec["model"]
    graph, eager = (logits(folder, model, spec["tokens"], mode) for mode in ("graph", "eager"))
    if graph is None or eager is None:
        return
    nmse = ((graph - want) ** 2).sum() / (want**2).sum()
    check(folder.name, nmse <= 1e-5, f"nmse {nmse:.2e}")
    check(folder.name, np.array_equal(graph.view(np.uint32), eager.view(np.uint32)), "eager equals graph")
    check_rows(folder, spec, model, want)


def many_rows(folder):
    """Rows and name of each program of many rows, the smallest first."""
    programs = json.loads((folder / "plan.json").read_text())["programs"]
    return sorted((one["rows"], f"{one['name']}_{one['rows']}") for one in programs if one["rows"] > 1)


def check_rows(folder, spec, model, want):
    """Every way through the programs of many rows is as exact as the token program, and gives the same bits."""
    programs = many_rows(folder)
    if not programs:
        return
    smallest, largest = ((name, rows) for rows, name in (programs[0], programs[-1]))
    # Where two experts' scores are nearly equal, another choice is as right.
    clear = np.setdiff1d(np.arange(len(want)), spec.get("ties", []))
    first = None
    for program, chunk in (largest, (largest[0], 7), smallest):
        rows = logits(folder, model, spec["tokens"], "graph", "--program", program, "--chunk", chunk)
        if rows is None:
            continue
        if first is None:
            first = rows
            nmse = ((rows - want)[clear] ** 2).sum() / (want[clear] ** 2).sum()
            check(folder.name, nmse <= 1e-5, f"nmse {nmse:.2e} by {program}")
        check(folder.name, np.array_equal(rows.view(np.uint32), first.view(np.uint32)),
              f"{program} in steps of {chunk}: the bits of one step")


def sanitize(folder):
    spec = json.loads((folder / f"{folder.name}.json").read_text())
    tokens = ",".join(map(str, spec["tokens"][:6]))
    rows = many_rows(folder)
    programs = ["token", *dict.fromkeys(name for _, name in rows[:1] + rows[-1:])]
    for tool, program in itertools.product(("memcheck", "racecheck"), programs):
        out = run("compute-sanitizer", "--tool", tool, "--error-exitcode", 9, folder / "replay", "--model",
                  folder / spec["model"], "--tokens", tokens, "--program", program)
        check(folder.name, out is not None, f"{tool}, {program}")


ENGINE_CASES = {
    "sequences": ["mixture", "many", "ahead", "prefixes", "alone", "engine", "engine64"],
    "engine": ["threads", "close"],
}


def check_engine(folder):
    """Builds the programs with the artifact's own source, since they look inside the runtime; silence is what they say."""
    work, (model,) = folder / "build", folder.glob("*.gguf")
    sources = [folder / "graph.cpp", folder / "code.S"]
    runtime = ARCHIVES / "runtime/librealizar_runtime.a"
    for program, cases in ENGINE_CASES.items():
        includes = [f"-I{HERE / 'runtime'}", f"-I{work}"]
        built = run("c++", "-std=c++20", "-O2", *includes, "-o", work / program, HERE / "programs" / f"{program}.cpp",
                    *sources, "-Wl,--whole-archive", runtime, "-Wl,--no-whole-archive", "-lpthread", "-ldl")
        for case in cases if built is not None else []:
            start = time.time()
            said = run(work / program, model, case)
            check(folder.name, said == "", f"{program}, {case} ({time.time() - start:.0f} s)")


def bench_engine(folder, model, sequences, prompts, results):
    """Adds rows of llama-batched-bench to results: "sequences", and "prompts" of one sequence."""
    loads = [("sequences", ["--sequences", sequences, "--prompt", 128, "--generate", 128])] if sequences else []
    loads += [("prompts", ["--sequences", 1, "--prompt", n, "--generate", 2]) for n in filter(None, prompts.split(","))]
    for kind, arguments in loads:
        text = run(folder / "replay", "--model", model, "--bench", "--json", *arguments)
        if text is not None:
            print(text.strip(), flush=True)
            results[kind] += json.loads(text)["results"]


def bench(item, models, depths, with_profile, sequences, prompts):
    """Returns {"bench": [a result a depth], "profile": [likewise]}, and what bench_engine adds; what failed is missing."""
    name = item.replace(":", "-")
    folder, model = HERE / "synth" / name, models / f"{name}.gguf"
    results = {"bench": [], "profile": [], "sequences": [], "prompts": []}
    if not model.exists() and run(sys.executable, HERE / "synth_gguf.py", models, item, limit=600) is None:
        return results
    values = logits(folder, model, [1, 2, 3, 4], "graph")  # the page cache has it after this
    if values is None:
        return results
    check(name, bool(np.isfinite(values).all()), f"finite logits, std {values.std():.3f}")
    for depth in depths:
        arguments = ("--model", model, "--depth", depth)
        text = run(folder / "replay", *arguments, "--bench", "--json")
        if text is not None:
            print(text.strip(), flush=True)
            results["bench"].append(json.loads(text))
        text = run(folder / "replay", *arguments, "--profile", "--json") if with_profile else None
        if text is not None:
            results["profile"].append(json.loads(text))
            print(profile_table(name, results["profile"][-1]), flush=True)
    bench_engine(folder, model, sequences, prompts, results)
    return results


def profile_table(name, profile):
    token = profile["token"]["us"]
    lines = [f"{name}, depth {profile['depth']}: {token:.1f} us a token",
             f"{'kind':20} {'count':>5} {'us each':>9} {'us':>9} {'share':>7} {'floor us':>9} {'above us':>9} {'share':>7}"]
    for row in [*profile["kinds"], profile["token"]]:
        lines.append(f"{row['name']:20} {row['count']:5} {row['us'] / row['count']:9.2f} {row['us']:9.1f} "
                     f"{row['us'] / token:7.1%} {row['floor_us']:9.1f} {row['above_floor_us']:9.1f} "
                     f"{row['above_floor_us'] / token:7.1%}")
    return "\n".join(lines)


def markdown(machine, results):
    """Tables: decoding; getting ready, of which a model has one row; and what an engine was asked for."""
    title = f"{machine['date']}, {machine['card']}, driver {machine['driver']}, commit {machine['commit']}."
    decoding = ["model", "depth", "tokens/s", "handed over one by one", "GB/s", "ceiling", "ratio"]
    ready = ["model", "driver ms", "file", "code", "memory", "upload", "GB/s", "repack", "session", "graph build",
             "first token", "start to first token"]
    at_once = ["model", "prompt", "sequences", "prompts, tokens/s", "decoding, tokens/s", "time to first token ms"]
    rows = {"decoding": [], "ready": [], "engine": []}
    for item, result in results.items():
        name = item.replace(":", " ")
        for r in result["bench"]:
            rows["decoding"].append([name, r["depth"], f"{r['tokens_per_second']:.1f}",
                                     f"{r['delivered_tokens_per_second']:.1f}", f"{r['gb_per_second']:.1f}",
                                     f"{r['read_ceiling_gb_per_second']:.1f}", f"{r['ratio']:.3f}"])
        for r in result["bench"][:1]:
            phases = [f"{r[phase + '_ms']:.1f}" for phase in
                      ("driver", "file", "code", "memory", "upload", "repack", "session", "graph_build", "first_token",
                       "to_first_token")]
            rows["ready"].append([name, *phases[:5], f"{r['upload_gb_per_second']:.1f}", *phases[5:]])
        for r in [*result["prompts"], *result["sequences"]]:
            rows["engine"].append([name, r["pp"], r["pl"], f"{r['speed_pp']:.0f}", f"{r['speed_tg']:.0f}",
                                   f"{r['to_first_token_ms']:.1f}"])
    table = lambda head, body: "\n".join("| " + " | ".join(map(str, row)) + " |" for row in [head, ["---"] * len(head), *body])
    engine = f"\n{table(at_once, rows['engine'])}\n" if rows["engine"] else ""
    return f"{title}\n\n{table(decoding, rows['decoding'])}\n\n{table(ready, rows['ready'])}\n{engine}"


def tune(folder, model):
    """Times every candidate of candidates.json at every depth."""
    listed = json.loads((folder / "candidates.json").read_text())
    measurements = []
    for name in listed["candidates"]:
        for depth in listed["depths"]:
            text = run(folder / name / "replay", "--model", model, "--depth", depth, "--profile", "--json")
            if text is not None:
                measurements.append({"candidate": name, "profile": json.loads(text)})
                print(f"{name}, depth {depth}: {measurements[-1]['profile']['token']['us']:.1f} us a token", flush=True)
    (folder / "measurements.json").write_text(json.dumps({"measurements": measurements}, indent=1) + "\n")


def describe_machine():
    query = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
    card, driver = subprocess.run(query, check=True, capture_output=True, text=True).stdout.splitlines()[0].split(", ")
    commit = (HERE / "commit").read_text().strip()
    return {"date": datetime.date.today().isoformat(), "card": card, "driver": driver, "commit": commit}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", action="store_true")
    parser.add_argument("--sanitize", default="")
    parser.add_argument("--engine", default="")
    parser.add_argument("--bench", default="")
    parser.add_argument("--depths", default="0,4096")
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--sequences", default="")
    parser.add_argument("--prompts", default="")
    parser.add_argument("--models", default="/tmp/models", type=pathlib.Path)
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--markdown", type=pathlib.Path)
    parser.add_argument("--skip-golden", action="store_true")
    parser.add_argument("--tune", type=pathlib.Path)
    parser.add_argument("--model", type=pathlib.Path)
    options = parser.parse_args()
    start = time.time()
    if options.tune:
        if not options.model:
            parser.error("--tune needs --model")
        tune(options.tune, options.model)
        print(f"{len(failures)} failures, {time.time() - start:.0f} s")
        sys.exit(1 if failures else 0)
    machine = describe_machine()
    print(machine, flush=True)
    if options.build:
        build_all()
    if not options.skip_golden:
        # The storyteller has no logits to compare with. Most of the time is the start of a process.
        golden = [folder for folder in sorted((HERE / "golden").iterdir()) if (folder / f"{folder.name}.json").exists()]
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            list(pool.map(check_golden, golden))
    for name in filter(None, options.sanitize.split(",")):
        sanitize(HERE / "golden" / name)
    for name in filter(None, options.engine.split(",")):
        check_engine(HERE / "golden" / name)
    options.models.mkdir(parents=True, exist_ok=True)
    depths = [int(depth) for depth in options.depths.split(",")]
    results = {item: bench(item, options.models, depths, options.profile, options.sequences, options.prompts)
               for item in filter(None, options.bench.split(","))}
    if results:
        print(markdown(machine, results))
    if options.markdown:
        options.markdown.write_text(markdown(machine, results))
    if options.json:
        options.json.write_text(json.dumps({**machine, "failures": failures, "results": results}, indent=1) + "\n")
    print(f"{len(failures)} failures, {time.time() - start:.0f} s")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
