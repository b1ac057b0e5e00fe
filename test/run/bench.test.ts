/** `realizar-run bench`: what it measures belongs together. Times are never judged. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { buildAddon } from '../addon/support.js';
import { hostArtifact } from '../support/artifacts.js';
import { readGolden } from '../support/goldens.js';
import { MODEL, realizarRun, storyteller } from './support.js';

let folder: string;
beforeAll(async () => {
  buildAddon();
  folder = await storyteller('run-bench');
});

test('--json prints rates, the share of the read ceiling, and cold start by phases', async () => {
  const { code, stdout, stderr } = await realizarRun([
    'bench',
    folder,
    '-p',
    '3',
    '-n',
    '4',
    '-d',
    '2',
    '-r',
    '2',
    '-s',
    '2,3',
    '--json',
  ]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const { prompt, decode, atOnce, coldStart, toFirstTokenMs, ...rest } = JSON.parse(stdout);
  expect(rest).toMatchObject({
    name: 'storyteller-q8_0',
    target: 'host',
    contextLength: 512,
    nodeCount: 23,
    repetitions: 2,
  });
  for (const { tokensPerSecond, samples } of [prompt, decode]) {
    expect(samples).toHaveLength(2);
    expect(tokensPerSecond).toBeCloseTo((samples[0] + samples[1]) / 2);
    expect(Math.min(...samples)).toBeGreaterThan(0);
  }
  expect([prompt.tokens, decode.tokens, decode.depth]).toEqual([3, 4, 2]);
  expect(atOnce.map(({ sequences }: { sequences: number }) => sequences)).toEqual([2, 3]);
  for (const { prompt, decode } of atOnce)
    for (const { tokens, samples } of [prompt, decode])
      expect([tokens, samples.length, Math.min(...samples) > 0]).toEqual([tokens === 3 ? 3 : 4, 2, true]);
  // Four tokens after three positions: the steps between them attend to 4, 5 and 6.
  const { memory } = JSON.parse(readFileSync(join(folder, 'plan.json'), 'utf8'));
  expect(decode.bytesPerToken).toBe(memory.tokenReadBytes + 5 * memory.kvRowBytes);
  expect(decode.bytesPerSecond).toBeCloseTo(decode.bytesPerToken * decode.tokensPerSecond, 3);
  expect(decode.ratio).toBeCloseTo(decode.bytesPerSecond / decode.readCeilingBytesPerSecond);
  const phases = coldStart.map(({ name }: { name: string }) => name);
  expect(phases).toEqual(['driver', 'file', 'code', 'memory', 'weights', 'repack', 'engine', 'first token']);
  const sum = coldStart.reduce((total: number, { ms }: { ms: number }) => total + ms, 0);
  expect(toFirstTokenMs).toBeGreaterThanOrEqual(sum);
});

test('reads of the KV cache no more than the layers see', async () => {
  const { model } = readGolden('gemma3-q8_0');
  const windowed = await hostArtifact('run-bench-gemma3-q8_0', model);
  const { code, stdout } = await realizarRun([
    'bench',
    windowed,
    '-m',
    model,
    '-p',
    '1',
    '-n',
    '4',
    '-d',
    '5',
    '--json',
  ]);
  expect(code).toBe(0);
  const { memory } = JSON.parse(readFileSync(join(windowed, 'plan.json'), 'utf8'));
  // The steps between the tokens attend to 7, 8 and 9 positions, in five layers of six at most to 8.
  const positions = 5 * ((7 + 8 + 8) / 3) + 8;
  expect(JSON.parse(stdout).decode.bytesPerToken).toBeCloseTo(
    memory.tokenReadBytes + (memory.kvRowBytes / 6) * positions,
  );
});

test('the table has the same, and says that the host target is a simulator', async () => {
  const { code, stdout, stderr } = await realizarRun(['bench', folder, '-m', MODEL, '-p', '2', '-n', '2', '-s', '2']);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toMatch(/^storyteller-q8_0 \(llama\) on .*: 23 nodes a token, context 512$/m);
  expect(stdout).toMatch(/^prompt +2 +\d+\.\d +\d+\.\d{3}$/m);
  expect(stdout).toMatch(/^decode +2 +\d+\.\d +\d+\.\d{3} +\S+ +\d+\.\d%$/m);
  expect(stdout).toMatch(/^decode, 2 at once +2 +\d+\.\d +\d+\.\d{3}$/m);
  expect(stdout).toMatch(/^process start to first token +\d+\.\d$/m);
  expect(stdout).toContain('simulator');
});

test.each([
  [2, ['-n', '1'], /from 2/],
  [2, ['-r', '0'], /from 1/],
  [2, ['-s', '2,x'], /expected a whole number from 1 to 1024/],
  [1, ['-p', '513'], /513 positions .* 512/],
  [1, ['-d', '500', '-n', '13'], /513 positions .* 512/],
])('exit code %i for %j', async (expected, args, message) => {
  const { code, stdout, stderr } = await realizarRun(['bench', folder, ...args]);
  expect({ code, stdout }).toEqual({ code: expected, stdout: '' });
  expect(stderr).toMatch(message);
});

test.each([
  ['a prompt', ['-p', '513'], 513],
  ['a depth', ['-d', '511'], 513],
  ['tokens after a depth', ['-d', '500', '-n', '20'], 520],
])('%s beyond the context is refused before a model is looked at', async (_, sizes, needed) => {
  const { code, stderr } = await realizarRun(['bench', folder, '-m', 'no.gguf', ...sizes]);
  expect({ code, stderr }).toEqual({
    code: 1,
    stderr: expect.stringContaining(`needs ${needed} positions`),
  });
});
