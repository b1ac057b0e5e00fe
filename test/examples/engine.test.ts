/** examples/engine.c, built and run as docs/c-abi.md says. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { hostArtifact, ROOT, replay, runProgram } from '../support/artifacts.js';

const model = join(ROOT, 'test/fixtures/golden/llama-q8_0.gguf');
const scratch = mkdtempSync(join(tmpdir(), 'realizar-engine-'));
const program = join(scratch, 'engine');
let artifact: string;

beforeAll(async () => {
  artifact = await hostArtifact('examples/engine', model);
  const source = join(ROOT, 'examples/engine.c');
  const library = ['-L', artifact, '-lllama-q8_0', `-Wl,-rpath,${artifact}`];
  const warnings = ['-std=c11', '-Wall', '-Wextra', '-Wpedantic', '-Werror'];
  const built = await runProgram('cc', [...warnings, '-I', join(ROOT, 'runtime'), '-o', program, source, ...library]);
  expect(built).toEqual({ code: 0, stdout: '', stderr: '' });
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const engine = (...args: string[]) => runProgram(program, args);

test('continues each prompt with the tokens that replay chooses', async () => {
  const prompts = ['1,2,3', '7', '5,6,7,8,9,10', '1,2,3', '1,2,4'];
  const { code, stdout, stderr } = await engine(model, '8', ...prompts);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const lines = stdout.trimEnd().split('\n');
  // Each prompt has its last position computed, and seven of the eight tokens are fed.
  expect(lines.pop()).toMatch(/^\d+ steps, \d+ rows; 16 tokens of prompts, 40 chosen; (\d+) of \1 pages free$/);
  for (const [i, prompt] of prompts.entries()) {
    const own = lines.filter((line) => line.startsWith(`prompt ${i}: `)).map((line) => line.split(': ')[1]!);
    expect(own).toHaveLength(9);
    expect(own.pop()).toBe('end');
    const answers = await replay(artifact, '--model', model, '--tokens', [prompt, ...own].join());
    const n = prompt.split(',').length;
    expect(
      answers.stdout
        .trimEnd()
        .split(',')
        .slice(n - 1, -1),
    ).toEqual(own);
  }
  // They are computed beside each other, four at once: the fourth begins before the first has ended.
  expect(lines.findIndex((line) => line.startsWith('prompt 3'))).toBeLessThan(lines.indexOf('prompt 0: end'));
});

test('passes on what the library says', async () => {
  expect(await engine('/nowhere/model.gguf', '8', '1')).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^open the model: .*\/nowhere\/model\.gguf.*No such file/),
  });
  expect(await engine(model, '8', '1', '999999')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('submit: token 999999 is outside the vocabulary'),
  });
});

test.each([
  ['0', '1'],
  ['8x', '1'],
  ['8'],
  ['8', 'abc'],
  ['8', ''],
  ['8', '1,'],
  ['8', '1', '-1'],
  ['8', '2147483648'],
  ['8', '99999999999999999999'],
])('computes nothing for %j', async (...args) => {
  expect(await engine(model, ...args)).toMatchObject({
    code: 2,
    stdout: '',
    stderr: expect.stringContaining('usage:'),
  });
});
