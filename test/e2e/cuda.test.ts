/** What is emitted for GPUs, compiled by nvcc for every architecture; nothing here runs on a GPU. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { compile } from '../../compiler/compile.js';
import { ARCH_NAMES, architecture, sharedOf } from '../../compiler/target/architectures.js';
import { findCuda } from '../../runtime/toolchain/programs.js';
import { ROOT, replay, runProgram } from '../support/artifacts.js';
import { readGolden } from '../support/goldens.js';

/**
 * Each number once: the same number with an "a" is the same machine code but for what the kernels do not use, except Hopper's.
 * Programs of many rows differ by whether there is wgmma and by how much shared memory a block has.
 */
const MODELS = [
  { name: 'llama-q4_k_m', archs: ['sm_90a'], programs: ['all'], rows: [8, 512] },
  { name: 'qwen3moe-q8_0', archs: ['sm_90a'], programs: ['all'], rows: [64] },
  { name: 'gemma3-q8_0', archs: ['sm_80', 'sm_120'], programs: ['all'], rows: [16, 512] },
  { name: 'qwen2-q8_0', archs: ['sm_86', 'sm_87', 'sm_88', 'sm_89', 'sm_100'], programs: ['token'] },
  { name: 'qwen3-q8_0', archs: ['sm_90', 'sm_103', 'sm_110', 'sm_121'], programs: ['token'] },
];
const cuda = findCuda();
const hasDriver = existsSync('/proc/driver/nvidia/version');
if (!cuda) console.error('nvcc is not here: the emitted sources are not compiled for GPUs.');

test('every architecture is compiled for', () => {
  const compiled = new Set(MODELS.flatMap(({ archs }) => archs));
  expect([...compiled].toSorted()).toEqual(
    ARCH_NAMES.filter((name) => name === 'sm_90a' || !name.endsWith('a')).toSorted(),
  );
});

describe.skipIf(!cuda).each(MODELS)('$name', ({ name, archs, programs, rows }) => {
  const { model } = readGolden(name);
  const folder = join(ROOT, 'build/test/artifacts/cuda', name);

  test(`compiles for ${archs}`, { timeout: 900_000 }, async () => {
    const { manifest, plan } = await compile(model, { target: 'cuda', archs, programs, rows, output: folder });
    const most = Math.min(...archs.map((arch) => sharedOf(architecture(arch).capability) - 1)) * 1024;
    for (const { symbol, launch } of plan.kernels) expect(launch.sharedBytes, symbol).toBeLessThanOrEqual(most);
    expect(manifest).toMatchObject({
      target: 'cuda',
      archs,
      cuda: { toolkit: cuda!.toolkit },
      nodeCount: plan.programs[0].nodes.length,
    });
    expect(plan.programs.length).toBe(rows ? rows.length + 2 : 1);
    const listed = await runProgram(join(cuda!.nvcc, '../cuobjdump'), ['--list-elf', join(folder, manifest.library!)]);
    // The machine code is data of the library; where cuobjdump does not see it, the fatbin's own names do.
    const found = listed.stdout || readFileSync(join(folder, manifest.library!), 'latin1');
    for (const arch of archs) expect(found, arch).toContain(arch);
  });

  test.skipIf(hasDriver)('says that there is no driver', async () => {
    const exit = await replay(folder, '--model', model, '--tokens', '1');
    expect(exit).toMatchObject({ code: 1, stdout: '' });
    expect(exit.stderr).toMatch(/^replay: no CUDA driver/);
    expect((await replay(folder, '--help')).code).toBe(0);
  });
});
