/** Steps on both sides of a context bucket's limit: which kernels run, and that it makes no difference but in time. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { build } from '../../compiler/build.js';
import { planModel } from '../../compiler/compile.js';
import { emit } from '../../compiler/emit/index.js';
import type { Plan } from '../../compiler/plan/plan.js';
import { libraryFile } from '../../runtime/artifact_folder/names.js';
import { firstDifference, hostArtifact, replay, replayLogits } from '../support/artifacts.js';
import { emptyFolder } from '../support/folders.js';
import { readGolden } from '../support/goldens.js';
import { nmse } from '../support/nmse.js';
import { temporaryFolder } from '../support/tiny_models.js';

const golden = readGolden('llama-q8_0');
const plan = planModel(golden.model, { target: 'host' });
const [limit] = plan.programs[0].buckets.map(({ positions }) => positions);
let folder: string;

beforeAll(async () => {
  folder = await hostArtifact('buckets-llama-q8_0', golden.model);
}, 300_000);

/** The same model with the short bucket's kernels at all lengths of the context: they do not split it. */
async function withoutBuckets(): Promise<string> {
  const short = new Map(plan.programs[0].buckets[0]!.kernels.map(({ node, kernel }) => [node, kernel]));
  const kernels = plan.programs[0].nodes.map(({ kernel }, node) => short.get(node) ?? kernel);
  const used = [...new Set(kernels)];
  const nodes = plan.programs[0].nodes.map((node, i) => ({ ...node, kernel: used.indexOf(kernels[i]!) }));
  const programs = [{ ...plan.programs[0], buckets: [], nodes }] as const;
  const whole: Plan = { ...plan, programs, kernels: used.map((kernel) => plan.kernels[kernel]!) };
  const source = emptyFolder(temporaryFolder);
  for (const [name, text] of emit(whole)) {
    mkdirSync(dirname(join(source, name)), { recursive: true });
    writeFileSync(join(source, name), text);
  }
  const interrupted = new AbortController().signal;
  const products = [libraryFile(plan.model.name), 'replay'];
  const how = { target: 'host', sanitize: false, cache: true, detail: () => {}, interrupted } as const;
  await build({ source, products, into: source, ...how });
  return source;
}

test('the tokens fed cross the limit', () => {
  expect(plan.programs[0].buckets).toHaveLength(1);
  expect(limit).toBeLessThan(golden.tokens.length / 2 + 1);
});

test('logits are those of one graph for all lengths, and eager ones the same', { timeout: 600_000 }, async () => {
  const logits = await replayLogits(folder, golden.model, golden.tokens);
  const other = await replayLogits(await withoutBuckets(), golden.model, golden.tokens);
  const end = limit! * golden.vocabSize;
  for (const [from, to] of [
    [0, end],
    [end, logits.length],
  ] as const)
    expect(nmse(logits.subarray(from, to), other.subarray(from, to))).toBeLessThanOrEqual(1e-6);
  expect(firstDifference(logits.slice(0, end), other.slice(0, end))).toBeUndefined(); // the same kernels
  expect(firstDifference(logits, other)).toBeDefined(); // others
  const eager = await replayLogits(folder, golden.model, golden.tokens, '--mode', 'eager', '--order-seed', '3');
  expect(firstDifference(logits, eager)).toBeUndefined();
});

// Steps are queued ahead: those beyond the limit while those before it run.
test('tokens that feed themselves cross it as those that the host feeds', { timeout: 120_000 }, async () => {
  const args = ['--model', golden.model, '--tokens', '1,2,3', '--generate', '24'];
  const { stdout } = await replay(folder, ...args);
  const tokens = stdout.trim().split(',').map(Number);
  expect(tokens).toHaveLength(24);
  expect((await replay(folder, ...args, '--mode', 'eager')).stdout).toBe(stdout);
  const fed = await replay(folder, '--model', golden.model, '--tokens', [1, 2, 3, ...tokens.slice(0, -1)].join());
  expect(fed.stdout.trim().split(',').slice(2).map(Number)).toEqual(tokens);
});

test('the nodes and the profile of each are told apart', { timeout: 120_000 }, async () => {
  const { stdout } = await replay(folder, '--model', golden.model, '--tokens', '1', '--dump-nodes');
  const marked = stdout.split('\n').filter((line) => line.endsWith(` positions<=${limit}`));
  expect(marked.map((line) => line.split(' ').slice(1, 3))).toEqual(
    plan.programs[0].buckets[0]!.kernels.map(({ node, kernel }) => [
      plan.programs[0].nodes[node]!.name,
      `kernel=${plan.kernels[kernel]!.symbol}`,
    ]),
  );
  for (const [depth, kernel] of [
    [limit! - 1, plan.programs[0].buckets[0]!.kernels[0]!.kernel],
    [limit!, plan.programs[0].nodes[plan.programs[0].buckets[0]!.kernels[0]!.node]!.kernel],
  ] as const) {
    const args = ['--profile', '--json', '--steps', '1', '--depth', String(depth)];
    const profile = JSON.parse((await replay(folder, '--model', golden.model, ...args)).stdout);
    const attention = profile.kinds.filter(({ name }: { name: string }) => name.startsWith('attn_kqv'));
    expect(attention.map(({ name }: { name: string }) => `realizar_${name}`)).toEqual([plan.kernels[kernel]!.symbol]);
    expect(profile).toMatchObject({ compute_capability: '0.0', multiprocessors: expect.any(Number) });
  }
});
