/** Shapes that no golden has, through the whole compiler on the host target, against the float64 reference. */
import { randomInt } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { CompileOptions } from '../../compiler/compile.js';
import { modelSpec } from '../../compiler/model/load.js';
import type { Plan } from '../../compiler/plan/plan.js';
import { readGguf } from '../../runtime/files/gguf.js';
import { referenceLogits, referenceRun } from '../oracle/reference.js';
import {
  ARCHITECTURE_MODELS,
  type ArchitectureModel,
  architectureModel,
  VOCABULARY,
} from '../support/architecture_models.js';
import { firstDifference, ROOT, replay, replayLogits } from '../support/artifacts.js';
import { hostReplay } from '../support/host_replay.js';
import { type ModelOptions, makeModel, modelInput } from '../support/models.js';
import { nmse } from '../support/nmse.js';
import { Random } from '../support/random.js';
import { splitModel } from '../support/split.js';
import { randomShape, STRESS_MODELS } from '../support/stress_models.js';
import { UNUSUAL_MODELS, unusualTokens } from '../support/unusual_models.js';

/** Weights are no part of an artifact: models that differ only in them share one. */
const FRESH_SEED = randomInt(2 ** 31);

async function check(
  name: string,
  options: ModelOptions & { readonly seed: number },
  tokens: readonly number[],
  more: Pick<CompileOptions, 'context' | 'changes'> = {},
  weightSets = 1,
): Promise<void> {
  const where = `seed ${options.seed}`;
  const seeds = Array.from({ length: weightSets }, (_, index) => options.seed + index);
  const actual: number[] = [];
  const expected: number[] = [];
  for (const seed of seeds) {
    const model = makeModel({ name, ...options, seed });
    const folder = await hostReplay(`shapes/${name}`, model, more);
    const logits = await replayLogits(folder, model, tokens);
    actual.push(...logits);
    expected.push(...referenceLogits(modelSpec(readGguf(model)), tokens));
    const eager = await replayLogits(folder, model, tokens, '--mode', 'eager');
    expect(firstDifference(logits, eager), where).toBeUndefined();
  }
  expect(nmse(actual, expected), where).toBeLessThanOrEqual(1e-5);
}

function randomTokens(seed: number, steps: number, vocabSize: number): number[] {
  const random = new Random(seed);
  return Array.from({ length: steps }, () => random.integer(vocabSize));
}

describe.each([
  { weights: 'fixed weights', seed: 1 },
  { weights: 'fresh weights', seed: FRESH_SEED },
])('$weights', ({ seed }) => {
  test.each(UNUSUAL_MODELS)('$name', async (options) => {
    await check(options.name, { ...options, seed }, unusualTokens(options.vocabSize));
  });

  test.each(STRESS_MODELS)('$name', async ({ steps, context, weightSets, ...options }) => {
    const tokens = randomTokens(seed, steps, options.vocabSize);
    await check(options.name, { ...options, seed }, tokens, { context }, weightSets);
  });
});

// Rows too few for all lanes, one copy of the input, sums of one group at a time.
test.each(['Q8_0', 'F32'] as const)('%s on a device whose shared memory is short', async (type) => {
  const options = {
    embeddingLength: 512,
    layers: 1,
    headCount: 4,
    headCountKv: 2,
    headSize: 64,
    feedForwardLength: 320,
    vocabSize: 400,
    type,
    seed: FRESH_SEED,
  };
  const mostShared = type === 'F32' ? 6400 : 3400;
  const changes = { alone: { mostShared }, coResident: { mostShared } };
  await check(`tight-${type}`, options, randomTokens(FRESH_SEED, 8, 400), { changes });
  const plan = JSON.parse(
    readFileSync(join(ROOT, `build/test/artifacts/shapes/tight-${type}/plan.json`), 'utf8'),
  ) as Plan;
  const cut = plan.kernels.flatMap(({ config }) => (config.kind === 'projection' ? [config] : []));
  expect(cut.some(({ groupRows, rowWarps, passGroups }) => groupRows < 4 && rowWarps === 1 && passGroups === 1)).toBe(
    true,
  );
});

test("a projection after attention that brings the next one's weights into L2", async () => {
  const shape = { embeddingLength: 512, headCount: 4, headCountKv: 2, headSize: 64, feedForwardLength: 512 };
  const options = { ...shape, layers: 2, vocabSize: 400, type: 'Q4_K', seed: FRESH_SEED } as const;
  // Rings too short for blocks of two nodes side by side.
  await check('ahead', options, randomTokens(FRESH_SEED, 8, 400), { changes: { coResident: { stagesBytes: 1 } } });
  const plan = JSON.parse(readFileSync(join(ROOT, 'build/test/artifacts/shapes/ahead/plan.json'), 'utf8')) as Plan;
  const looking = plan.programs[0].nodes.filter(({ args }) => args.some(({ name }) => name === 'prefetched'));
  expect(looking.length).toBe(options.layers);
});

// A failure is repeated by putting the seed that it names in place of the random one.
test.each([0, 1, 2])('a shape at random (%i)', async (index) => {
  const seed = randomInt(2 ** 31);
  const { steps, ...options } = randomShape(new Random(seed));
  try {
    await check(`random-${index}`, { ...options, seed }, randomTokens(seed, steps, options.vocabSize));
  } catch (error) {
    throw new Error(`randomShape(new Random(${seed})): ${JSON.stringify(options)}: ${(error as Error).message}`);
  }
});

describe('every architecture', () => {
  // 64 positions is what the models with longrope and YaRN were trained for.
  const cases = ARCHITECTURE_MODELS.flatMap((model) => [
    { model, context: 48 },
    ...(model.name.includes('longrope') ? [{ model, context: 100 }] : []),
  ]);
  test.each(cases)('$model.name, $context positions', async ({ model, context }) => {
    await checkArchitecture(model, context, 1);
  });

  const experts = ARCHITECTURE_MODELS.filter(({ used, layers }) => used && layers > 1);
  test.each(experts)('$name, fresh weights', async (model) => {
    await checkArchitecture(model, 48, FRESH_SEED);
  });
});

/** How clear every choice of experts must be: a few times the error of what chooses them. */
const LEAST_MARGIN = 0.006;
const EAGER_TOKENS = 6;

/** Another seed where a choice of experts is too close: rounding would decide it, and the logits jump. */
async function checkArchitecture(model: ArchitectureModel, context: number, firstSeed: number): Promise<void> {
  for (let seed = firstSeed; seed < firstSeed + 500; seed++) {
    const tokens = randomTokens(seed, model.used ? 16 : 40, VOCABULARY);
    const path = architectureModel(model, seed);
    const { logits: expected, margin } = referenceRun(modelSpec(readGguf(path)), tokens, context, LEAST_MARGIN);
    if (margin < LEAST_MARGIN) continue;
    const folder = await hostReplay(`architectures/${model.name}-${context}`, path, { context });
    const logits = await replayLogits(folder, path, tokens);
    expect(nmse(logits, expected), `seed ${seed}`).toBeLessThanOrEqual(1e-5);
    // Goldens and the shapes above have all their positions kernel by kernel, too.
    const eager = await replayLogits(folder, path, tokens.slice(0, EAGER_TOKENS), '--mode', 'eager');
    expect(firstDifference(logits.slice(0, eager.length), eager), `seed ${seed}`).toBeUndefined();
    return;
  }
  throw new Error(`no seed from ${firstSeed} on makes clear choices of experts`);
}

test('a model in three files is the model in one', async () => {
  const options: ModelOptions = { ...UNUSUAL_MODELS[2]!, seed: 1 };
  const tokens = unusualTokens(options.vocabSize);
  const paths = splitModel(modelInput(options), 3);
  const folder = await hostReplay('shapes/split', paths[0]!);
  const logits = await replayLogits(folder, paths[0]!, tokens);
  expect(nmse(logits, referenceLogits(modelSpec(readGguf(makeModel(options))), tokens))).toBeLessThanOrEqual(1e-5);
  const second = await replay(folder, '--model', paths[1]!, '--tokens', '1');
  expect(second).toMatchObject({ code: 1, stdout: '' });
  expect(second.stderr).toContain('the model is split over 3 files; give the first, *-00001-of-00003.gguf');
  writeFileSync(paths[2]!, Buffer.concat([readFileSync(paths[2]!), Buffer.alloc(1)]));
  const longer = await replay(folder, '--model', paths[0]!, '--tokens', '1');
  expect(longer.stderr).toContain('model-00003-of-00003.gguf is not the file');
});

test('no token goes past the context', async () => {
  const { steps: _, ...options } = STRESS_MODELS.find(({ context }) => context === 1)!;
  const model = makeModel({ ...options, seed: 1 });
  const folder = await hostReplay('shapes/context-of-one', model, { context: 1 });
  const exit = await replay(folder, '--model', model, '--tokens', '1,2');
  expect(exit).toMatchObject({ code: 1, stdout: '' });
  expect(exit.stderr).toMatch(/context|positions/);
});
