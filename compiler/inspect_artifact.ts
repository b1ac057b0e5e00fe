/** What `realizar-compile inspect` shows of an artifact. Plain data, ready for JSON. */
import { join } from 'node:path';
import { damages } from '../runtime/artifact_folder/damages.js';
import { type Manifest, noArtifact, readManifest } from '../runtime/artifact_folder/manifest.js';
import { FILES } from '../runtime/artifact_folder/names.js';
import { CompileError } from '../runtime/common/errors.js';
import { machineOf } from '../runtime/toolchain/machine.js';
import { type InspectedNode, inspectNodes } from './inspect_nodes.js';
import { contextsUpTo } from './model/inspect.js';
import { readPlan } from './plan/plan_file.js';
import type { Gpu } from './target/gpus.js';

export interface ArtifactInspection {
  readonly path: string;
  readonly manifest: Manifest;
  /** What it was planned for; null for the host. It runs on every GPU of the manifest's architectures. */
  readonly gpu: Gpu | null;
  /** The processors that its library runs on, by its ELF header: "x86-64", "aarch64"; null where nothing was built. */
  readonly machine: string | null;
  /** What is not as the manifest says: a line each, empty where all is well. */
  readonly damages: readonly string[];
  readonly tensors: readonly UsedTensor[];
  /** Largest first. */
  readonly types: readonly UsedType[];
  /** Device memory, bytes. */
  readonly memory: {
    readonly weightsBytes: number;
    /** Of a session or an engine, beside its KV cache. */
    readonly arenaBytes: number;
    /**
     * What a sequence's KV cache takes at the context that was compiled for, the last, and at shorter ones; and how many
     * sequences of so many positions an engine has room for on a device of so many GiB, a tenth of which it leaves free.
     */
    readonly kvCache: readonly {
      readonly context: number;
      readonly bytes: number;
      readonly sequences: readonly { readonly gib: number; readonly count: number }[];
    }[];
  };
  readonly nodes: readonly InspectedNode[];
}

/** Memory of GPUs that people have, and what of it an engine uses (runtime/engine/pool_size.h). */
const [DEVICE_GIB, ENGINE_SHARE] = [[24, 80], 0.9];

export interface UsedTensor {
  readonly name: string;
  readonly type: string;
  readonly shape: readonly number[];
  /** In the model file. On the device tensors may be interleaved, or in another encoding; memory has the sum of that. */
  readonly bytes: number;
}

export interface UsedType {
  readonly type: string;
  readonly tensors: number;
  readonly bytes: number;
}

/** Errors: CompileError for a folder that is no artifact, or one whose manifest or plan this compiler does not read. */
export function inspectArtifact(folder: string): ArtifactInspection {
  const manifest = readManifest(folder);
  if (!manifest) throw noArtifact(folder);
  const problems = damages(folder, manifest);
  // Nothing can be told from a plan that is not the one that was compiled.
  const ofPlan = problems.find((problem) => problem.startsWith(`${FILES.plan}: `));
  if (ofPlan) throw new CompileError(`${join(folder, ofPlan)}; compile the model again`);
  const plan = readPlan(folder);
  const tensors = plan.tensors.map(({ name, type, rows, cols, layout, fileBytes, alternate }) => {
    const shape = layout === 'vector' ? [rows * cols] : [cols, rows];
    return { name, type, shape, bytes: fileBytes / (alternate ? 2 : 1) };
  });
  const { weightsBytes, kvCacheBytes, arenaBytes } = manifest.memory;
  const perPosition = kvCacheBytes / manifest.contextLength;
  const kvCacheOf = (context: number) => {
    const bytes = context * perPosition;
    const free = (gib: number) => gib * 2 ** 30 * ENGINE_SHARE - weightsBytes - arenaBytes;
    const sequences = DEVICE_GIB.map((gib) => ({ gib, count: Math.max(Math.floor(free(gib) / bytes), 0) }));
    return { context, bytes, sequences };
  };
  return {
    path: folder,
    manifest,
    gpu: plan.target.gpu ?? null,
    machine: (manifest.library !== undefined && machineOf(join(folder, manifest.library))) || null,
    damages: problems,
    tensors,
    types: typeTotals(tensors),
    memory: {
      weightsBytes,
      arenaBytes,
      kvCache: contextsUpTo(manifest.contextLength).map(kvCacheOf),
    },
    nodes: inspectNodes(plan),
  };
}

function typeTotals(tensors: readonly UsedTensor[]): UsedType[] {
  const totals = new Map<string, UsedType>();
  for (const { type, bytes } of tensors) {
    const sum = totals.get(type) ?? { type, tensors: 0, bytes: 0 };
    totals.set(type, { type, tensors: sum.tensors + 1, bytes: sum.bytes + bytes });
  }
  return [...totals.values()].sort((a, b) => b.bytes - a.bytes);
}
