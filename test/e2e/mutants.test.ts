/** Kernels broken in one place each: the host target must see it, or its checks are worth nothing. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { compile } from '../../compiler/compile.js';
import { modelSpec } from '../../compiler/model/load.js';
import { readGguf } from '../../runtime/files/gguf.js';
import { referenceLogits } from '../oracle/reference.js';
import { architectureModel, VOCABULARY } from '../support/architecture_models.js';
import { firstDifference, ROOT, replayLogits } from '../support/artifacts.js';
import { hostReplayWith } from '../support/host_replay.js';
import { nmse } from '../support/nmse.js';

interface Mutant {
  readonly what: string;
  readonly file: string;
  /** Must match once. */
  readonly text: RegExp;
  readonly instead: string;
  /** How it shows: part of an error, or other logits than the reference's, or than in another order. */
  readonly shows: RegExp;
}

const MUTANTS: readonly Mutant[] = [
  {
    what: 'a kernel that never waits for the node before it',
    file: 'select.cuh',
    text: /grid_wait\(\);/,
    instead: '',
    shows: /grid_wait/,
  },
  {
    what: 'activations read before the wait',
    file: 'projection/kernel.cuh',
    text: /grid_wait\(\);(\s*InputColumns<C> input;\s*input\.template load<false>\(a\.input, chunk\);)/,
    instead: '$1 grid_wait();',
    shows: /grid_wait/,
  },
  {
    what: 'weights read before they have arrived',
    file: 'projection/load.cuh',
    text: /barriers\[stage\]\.wait\(phase\);/,
    instead: '',
    shows: /barrier|copy|logits/,
  },
  {
    what: 'a stage refilled while other lanes read it',
    file: 'projection/load.cuh',
    text: /warp_sync\(\);(\s*start\(stage\);)/,
    instead: '$1',
    shows: /barrier|copy|arrive|lanes|logits/,
  },
  {
    what: 'sums of chunks added up before all warps have left theirs',
    file: 'projection/kernel.cuh',
    text: /block_sync\(\);(\s*if \(pass == 0)/,
    instead: '$1',
    shows: /logits/,
  },
  {
    what: 'a mean square taken before all warps have left theirs',
    file: 'projection/input_norm.cuh',
    text: /block_sync\(\);(\s*float all = 0;)/,
    instead: '$1',
    shows: /logits/,
  },
  {
    what: 'a residual read before the wait',
    file: 'projection/kernel.cuh',
    text: /(grid_wait\(\);[^}]*)(sum\.load_residual\(a, chunk\);)/,
    instead: '$2 $1',
    shows: /grid_wait|logits/,
  },
  {
    what: 'activations used before all lanes have brought theirs',
    file: 'projection/input.cuh',
    text: /warp_sync\(\);(\s*#pragma unroll\s*for \(int j = 0; j < Shape::unit_sets)/,
    instead: '$1',
    shows: /lanes|logits/,
  },
  {
    what: 'queries used before all warps have brought theirs',
    file: 'attend/kernel.cuh',
    text: /(append_newest\(b, warp, lane\);\s*)block_sync\(\);/,
    instead: '$1',
    shows: /logits/,
  },
  {
    what: 'keys and values read before they have arrived',
    file: 'attend/kernel.cuh',
    text: /b\.wait\(warp, i\);/,
    instead: '',
    shows: /barrier|copy|logits/,
  },
  {
    what: 'a split counted as done before all of it is written',
    file: 'attend/epilogue.cuh',
    text: /block_sync\(\);(\s*if \(thread_index\(\) == 0\) \*is_last = )/,
    instead: '$1',
    shows: /logits/,
  },
  {
    what: 'positions beyond the end of the context weighed',
    file: 'attend/main_loop.cuh',
    text: /there \? score : -INFINITY/,
    instead: 'there || true ? score : -INFINITY',
    shows: /logits/,
  },
  {
    what: 'keys read without their swizzle',
    file: 'attend/main_loop.cuh',
    text: /Shape::Row::swizzle\(from \+ t, lane \/ 8 % 2\)/,
    instead: 'lane / 8 % 2',
    shows: /logits/,
  },
];

const scratch = mkdtempSync(join(tmpdir(), 'realizar-mutants-'));
const runtime = join(scratch, 'runtime');
const source = join(scratch, 'source');
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

// Its projections add up their inputs, of two chunks.
const model = architectureModel({
  ...{ name: 'mutant', architecture: 'gemma2', layers: 1, type: 'Q8_0' },
  sizes: { embedding: 512, feedForward: 64, query: 256, keyValue: 128, head: 64, ropePairs: 32 },
});
// Each warp of each of several splits has more chunks than its pipeline has stages.
const tokens = Array.from({ length: 100 }, (_, t) => (37 * t + 11) % VOCABULARY);
const expected = referenceLogits(modelSpec(readGguf(model)), tokens);

/** What the checks say, in order after order; undefined if nothing is wrong. */
async function findings(): Promise<string | undefined> {
  let first: Float32Array | undefined;
  for (const seed of [0, 1, 2, 3, 4, 5]) {
    let logits: Float32Array;
    try {
      logits = await replayLogits(source, model, tokens, '--poison', '--order-seed', `${seed}`);
    } catch (error) {
      return (error as Error).message;
    }
    first ??= logits;
    const difference = firstDifference(first, logits);
    if (difference) return `logits of order ${seed} differ: ${difference}`;
    if (logits.some(Number.isNaN) || nmse(logits, expected) > 1e-5) return 'logits are wrong';
  }
  return undefined;
}

beforeAll(async () => {
  cpSync(join(ROOT, 'runtime'), runtime, { recursive: true });
  await compile(model, { target: 'host', build: false, output: source });
  await hostReplayWith(runtime, source);
});

test('nothing is wrong with the kernels as they are', async () => {
  expect(await findings()).toBeUndefined();
});

test.each(MUTANTS)('$what', async ({ file, text, instead, shows }) => {
  const path = join(runtime, 'kernels', file);
  const original = readFileSync(path, 'utf8');
  expect(original.match(new RegExp(text, 'g')), `${text} in ${file}`).toHaveLength(1);
  try {
    writeFileSync(path, original.replace(text, instead));
    await hostReplayWith(runtime, source);
    expect(await findings()).toMatch(shows);
  } finally {
    writeFileSync(path, original);
  }
});
