/** examples/decode.c, built and run as docs/c-abi.md says. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { hostArtifact, ROOT, replay, runProgram } from '../support/artifacts.js';

const model = join(ROOT, 'test/fixtures/golden/llama-q8_0.gguf');
const scratch = mkdtempSync(join(tmpdir(), 'realizar-decode-'));
const program = join(scratch, 'decode');
let artifact: string;

beforeAll(async () => {
  artifact = await hostArtifact('examples/decode', model);
  const source = join(ROOT, 'examples/decode.c');
  const library = ['-L', artifact, '-lllama-q8_0', `-Wl,-rpath,${artifact}`];
  const warnings = ['-std=c11', '-Wall', '-Wextra', '-Wpedantic', '-Werror'];
  const built = await runProgram('cc', [...warnings, '-I', join(ROOT, 'runtime'), '-o', program, source, ...library]);
  expect(built).toEqual({ code: 0, stdout: '', stderr: '' });
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const decode = (...args: string[]) => runProgram(program, args);

test('continues a prompt with the tokens that replay chooses when it is fed the same', async () => {
  const prompt = ['1', '2', '3'];
  const { code, stdout, stderr } = await decode(model, '8', ...prompt);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const chosen = stdout.trimEnd().split(',');
  expect(chosen).toHaveLength(8);

  const fed = [...prompt, ...chosen];
  const answers = await replay(artifact, '--model', model, '--tokens', fed.join());
  const afterEach = answers.stdout.trimEnd().split(',');
  expect(afterEach.slice(prompt.length - 1, -1)).toEqual(chosen);
});

test('passes on what the library says', async () => {
  expect(await decode('/nowhere/model.gguf', '8', '1')).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^open the model: .*\/nowhere\/model\.gguf.*No such file/),
  });
  expect(await decode(model, '8', '999999')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('step: token 999999 is outside the vocabulary'),
  });
});

test.each([
  ['0', '1'],
  ['8x', '1'],
  ['8'],
  ['8', 'abc'],
  ['8', '1', ''],
  ['8', '1,2'],
  ['8', '-1'],
  ['8', '2147483648'],
  ['8', '99999999999999999999'],
])('decodes nothing for %j', async (...args) => {
  expect(await decode(model, ...args)).toMatchObject({
    code: 2,
    stdout: '',
    stderr: expect.stringContaining('usage:'),
  });
});

test('fails where its tokens cannot be written', async () => {
  const readOnly = openSync(model, 'r');
  const child = spawn(program, [model, '8', '1'], { stdio: ['ignore', readOnly, 'pipe'] });
  const ended = once(child, 'close');
  expect(await text(child.stderr!)).toMatch(/^write the tokens: \w+/);
  expect(await ended).toEqual([1, null]);
  closeSync(readOnly);
});
