/** Programs of many rows on the host target: exact logits, and the same bits however a prompt is cut. */
import { describe, expect, test } from 'vitest';
import { modelSpec } from '../../compiler/model/load.js';
import { readGguf } from '../../runtime/files/gguf.js';
import { referenceLogits } from '../oracle/reference.js';
import { firstDifference, replay, replayLogits } from '../support/artifacts.js';
import { readGolden } from '../support/goldens.js';
import { hostReplay } from '../support/host_replay.js';
import { makeModel } from '../support/models.js';
import { nmse } from '../support/nmse.js';

// Together: biases, head norms, soft caps, windows, norms after projections, joined matrices, types with minima, floats, experts.
const NAMES = [
  ...['gemma2-q8_0', 'gemma3-q8_0', 'phi3-q8_0', 'qwen2-q4_k_m', 'qwen3-q4_k_m', 'llama-bf16', 'llama-q2_k'],
  'qwen3moe-q8_0',
];

describe.each(NAMES)('%s', (name) => {
  const golden = readGolden(name);
  const artifact = hostReplay(`many_rows/${name}`, golden.model, { programs: ['all'] });
  const rows = async (...options: string[]) => replayLogits(await artifact, golden.model, golden.tokens, ...options);

  test('a prompt in one step is exact', async () => {
    expect(nmse(await rows('--program', 'prompt'), golden.logits)).toBeLessThanOrEqual(1e-5);
  });

  test.each([
    ['token by token', 'prompt --chunk 1'],
    ['seven tokens a step', 'prompt --chunk 7'],
    ['by the smallest program', 'batch_8'],
    [
      'kernel by kernel in another order, with NaN where nobody wrote',
      'batch --chunk 5 --mode eager --order-seed 3 --poison',
    ],
  ])('%s it is the same bits', async (_how, options) => {
    const whole = await rows('--program', 'prompt');
    expect(firstDifference(whole, await rows('--program', ...options.split(' ')))).toBeUndefined();
  });

  test('what follows a prompt is what follows its tokens one by one', async () => {
    const prompt = ['--model', golden.model, '--tokens', golden.tokens.join(), '--generate', '4'];
    const { stdout, code } = await replay(await artifact, ...prompt);
    expect({ code, tokens: stdout.trim().split(',').length }).toEqual({ code: 0, tokens: 4 });
  });
});

// Of f16's range: inputs of the down projection beyond 65504, and scales of its blocks below 2^-14.
test.each([
  ['Q8_0', { ffn_gate: 400, ffn_up: 400, ffn_down: 1e-3 }],
  ['Q4_K', { ffn_gate: 2e3, ffn_up: 2e3, ffn_down: 1e-3 }],
  ['BF16', { ffn_gate: 1e5, ffn_up: 1e5, ffn_down: 1e-20 }],
] as const)('%s: activations too large and weights too small for halves', async (type, gains) => {
  const shape = { embeddingLength: 256, layers: 2, headCount: 4, feedForwardLength: 512, vocabSize: 100 };
  const model = makeModel({ ...shape, name: `range-${type}`, type, gains });
  const tokens = [1, 99, 7, 42, 3, 3, 58, 21, 90, 64];
  const spec = modelSpec(readGguf(model));
  const artifact = await hostReplay(`many_rows/range-${type}`, model, { programs: ['all'] });
  const rows = (...options: string[]) => replayLogits(artifact, model, tokens, ...options);
  const expected = referenceLogits(spec, tokens);
  const whole = await rows('--program', 'prompt');
  expect(nmse(whole, expected)).toBeLessThanOrEqual(1e-5);
  expect(nmse(await rows(), expected)).toBeLessThanOrEqual(1e-5);
  expect(firstDifference(whole, await rows('--program', 'batch', '--chunk', '3'))).toBeUndefined();
});

test('prompts are timed, and compared with what the device does at most', async () => {
  const { model } = readGolden(NAMES[0]!);
  const folder = await hostReplay(`many_rows/${NAMES[0]}`, model, { programs: ['all'] });
  const { code, stdout } = await replay(folder, '--model', model, '--bench', '--prompt', '9', '--repeat', '1');
  expect({ code, lines: stdout.trimEnd().split('\n') }).toEqual({
    code: 0,
    lines: [
      expect.stringMatching(
        /on host simulator: a prompt of 9 tokens in [\d.]+ ms, [\d.]+ tokens\/s; median of 1 runs, graph mode$/,
      ),
      expect.stringMatching(
        /^ {2}[\d.e-]+ GB\/s of weights and KV cache, [\d.]+% of the [\d.]+ that this device reads/,
      ),
      expect.stringMatching(
        /^ {2}[\d.e-]+ TFLOP\/s of products, [\d.]+% of the [\d.e-]+ that this device makes of halves/,
      ),
    ],
  });
});

test('what a program cannot do is said', async () => {
  const golden = readGolden(NAMES[0]!);
  const folder = await hostReplay(`many_rows/${NAMES[0]}`, golden.model, { programs: ['all'] });
  const run = (...options: string[]) => replay(folder, '--model', golden.model, ...options);
  const tokens = ['--tokens', '1,2,3'];
  expect(await run(...tokens, '--program', 'draft')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('there is no program "draft" in this library; it has token, batch_8, '),
  });
  expect(await run(...tokens, '--program', 'batch_8', '--chunk', '9')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('9 rows a step are more than the 8 that program batch_8 has'),
  });
  expect(await run(...tokens, '--program', 'batch_8', '--chunk', '0')).toMatchObject({ code: 2 });
  const long = Array.from({ length: 513 }, () => 1).join();
  expect(await run('--tokens', long, '--program', 'prompt')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('the context is full: 0 of'),
  });
});
