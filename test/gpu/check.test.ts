/** check.py as on a machine with a GPU, with the simulator's artifacts and an nvidia-smi that says what it is told. */
import { chmodSync, cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { findProgram } from '../../runtime/toolchain/programs.js';
import { hostArtifact, ROOT, runProgram } from '../support/artifacts.js';
import { emptyFolder } from '../support/folders.js';
import { readGolden } from '../support/goldens.js';
import { temporaryFolder } from '../support/tiny_models.js';

const { model } = readGolden('llama-q8_0');
const python = findProgram('python3');
const hasNumpy = python !== undefined && (await runProgram(python, ['-c', 'import numpy'])).code === 0;
if (!hasNumpy) console.error('python3 with numpy is not here: test/gpu/check.py is not run.');

const bundle = emptyFolder(temporaryFolder);
const env = { ...process.env, PATH: `${join(bundle, 'bin')}${delimiter}${process.env.PATH}` };
const check = (...args: string[]) =>
  runProgram(python!, [join(bundle, 'check.py'), '--models', join(bundle, 'models'), ...args], { env });

beforeAll(async () => {
  if (!hasNumpy) return;
  const artifact = await hostArtifact('check-llama-q8_0', model);
  for (const name of ['bin', 'models', 'golden', 'synth']) mkdirSync(join(bundle, name));
  writeFileSync(join(bundle, 'bin/nvidia-smi'), '#!/bin/sh\necho "A card, 1.2.3"\necho "Another, 1.2.3"\n');
  chmodSync(join(bundle, 'bin/nvidia-smi'), 0o755);
  writeFileSync(join(bundle, 'commit'), 'abc123\n');
  cpSync(join(ROOT, 'test/gpu/check.py'), join(bundle, 'check.py'));
  cpSync(artifact, join(bundle, 'golden/llama-q8_0'), { recursive: true });
  for (const end of ['gguf', 'json', 'logits.f32'])
    cpSync(model.replace(/gguf$/, end), join(bundle, `golden/llama-q8_0/llama-q8_0.${end}`));
  cpSync(artifact, join(bundle, 'synth/shape-Q8_0'), { recursive: true });
  cpSync(model, join(bundle, 'models/shape-Q8_0.gguf'));
});

test.skipIf(!hasNumpy)('checks the golden models and writes what it measured', async () => {
  const [json, markdown] = [join(bundle, 'bench.json'), join(bundle, 'bench.md')];
  const written = ['--json', json, '--markdown', markdown];
  const measured = ['--bench', 'shape:Q8_0', '--depths', '0,8', '--profile', '--sequences', '1', '--prompts', '5'];
  const { code, stdout } = await check(...measured, ...written);
  expect({ code, failures: /(\d+) failures/.exec(stdout)?.[1] }).toEqual({ code: 0, failures: '0' });
  expect(stdout).toMatch(/ok {3}llama-q8_0: nmse \d\.\d\de-\d\d\nok {3}llama-q8_0: eager equals graph/);

  const report = JSON.parse(readFileSync(json, 'utf8'));
  expect(report).toMatchObject({ card: 'A card', driver: '1.2.3', commit: 'abc123', failures: [] });
  const { bench, profile, sequences, prompts } = report.results['shape:Q8_0'];
  expect(bench.map((row: { depth: number }) => row.depth)).toEqual([0, 8]);
  expect(profile.map((row: { depth: number }) => row.depth)).toEqual([0, 8]);

  const lines = readFileSync(markdown, 'utf8').split('\n');
  expect(lines[0]).toMatch(/^\d{4}-\d\d-\d\d, A card, driver 1\.2\.3, commit abc123\.$/);
  const cells = lines
    .filter((line) => line.startsWith('| shape'))
    .map((line) => line.split('|').map((cell) => cell.trim()));
  expect(cells.map((row) => row.length)).toEqual([9, 9, 14, 8, 8]);
  expect(cells.slice(3).map((row) => row.slice(2, 4))).toEqual([
    ['5', '1'],
    ['128', '1'],
  ]);
  expect(cells.slice(3).map((row) => row[5])).toEqual(
    [...prompts, ...sequences].map(({ speed_tg }) => speed_tg.toFixed(0)),
  );
  for (const [i, { tokens_per_second, ratio }] of bench.entries())
    expect([2, 3, 7].map((cell) => cells[i]![cell])).toEqual([
      String([0, 8][i]),
      tokens_per_second.toFixed(1),
      ratio.toFixed(3),
    ]);
});

test.skipIf(!hasNumpy)('fails where a measurement does', async () => {
  const { code, stdout } = await check('--skip-golden', '--bench', 'shape:Q8_0', '--depths', '100000');
  expect(code).toBe(1);
  expect(stdout).toMatch(/FAILED \(1\): .*replay.*--depth 100000[\s\S]*positions \(--depth[\s\S]*1 failures/);
});
