/** What is emitted for GPUs, compiled by nvcc for four architectures; nothing here runs on a GPU. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { compile } from '../../compiler/compile.js';
import { findCuda } from '../../compiler/toolchain.js';
import { ROOT, replay, runProgram } from '../support/artifacts.js';
import { readGolden } from '../support/goldens.js';

const ARCHS = ['sm_80', 'sm_89', 'sm_90a', 'sm_120'];
const cuda = findCuda();
const hasDriver = existsSync('/proc/driver/nvidia/version');
if (!cuda) console.error('nvcc is not here: the emitted sources are not compiled for GPUs.');

describe.skipIf(!cuda).each(['llama-q4_k_m', 'qwen2-q8_0', 'qwen3-q8_0'])('%s', (name) => {
  const { model } = readGolden(name);
  const folder = join(ROOT, 'build/test/artifacts/cuda', name);

  test('compiles for every architecture', { timeout: 900_000 }, async () => {
    const { manifest } = await compile(model, { target: 'cuda', archs: ARCHS, output: folder });
    expect(manifest).toMatchObject({ target: 'cuda', archs: ARCHS, cuda: { toolkit: cuda!.toolkit }, nodeCount: 13 });
    const listed = await runProgram(join(cuda!.nvcc, '../cuobjdump'), ['--list-elf', join(folder, manifest.library!)]);
    // The machine code is data of the library; where cuobjdump does not see it, the fatbin's own names do.
    const found = listed.stdout || readFileSync(join(folder, manifest.library!), 'latin1');
    for (const arch of ARCHS) expect(found, arch).toContain(arch);
  });

  test.skipIf(hasDriver)('says that there is no driver', async () => {
    const exit = await replay(folder, '--model', model, '--tokens', '1');
    expect(exit).toMatchObject({ code: 1, stdout: '' });
    expect(exit.stderr).toMatch(/^replay: no CUDA driver/);
    expect((await replay(folder, '--help')).code).toBe(0);
  });
});
