/** What make demo compiles for, on machines made of a program that stands in for nvcc and of answers of a driver. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, expect, test, vi } from 'vitest';
import { findGpu } from '../../compiler/target/find_gpu.js';
import { optionsForThisMachine } from '../../examples/this_machine.js';

const scratch = mkdtempSync(join(tmpdir(), 'realizar-machine-'));
afterEach(() => vi.unstubAllEnvs());
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

function withNvcc(release: string): void {
  const path = join(scratch, 'bin/nvcc');
  mkdirSync(join(scratch, 'bin'), { recursive: true });
  writeFileSync(path, `#!/bin/sh\necho "Cuda compilation tools, release ${release}, V${release}.1"\n`);
  chmodSync(path, 0o755);
  vi.stubEnv('CUDA_HOME', scratch);
}

const machineWith = (name: string) => ({ driver: '13.0', gpus: [findGpu(name)] });

test('a GPU and nvcc: cuda', () => {
  withNvcc('12.4');
  expect(optionsForThisMachine(machineWith('H200'))).toEqual({
    options: ['--target', 'cuda'],
    why: 'target cuda: nvcc and a GPU (H200, sm_90a) are here',
  });
});

test.each([
  ['no driver', { problem: 'no CUDA driver' }, 'nvcc is here, but no GPU'],
  [
    'a GPU too old for the kernels',
    { driver: '13.0', gpus: [{ ...findGpu('A2'), name: 'T4', capability: '7.5' }] },
    'the GPU is T4, which is not supported',
  ],
  ['a GPU too new for nvcc', machineWith('RTX 5090'), 'the GPU is RTX 5090, which is not supported'],
])('%s: host, and why', (_, here, why) => {
  withNvcc('12.4');
  const chosen = optionsForThisMachine(here);
  expect(chosen.options).toEqual(['--target', 'host']);
  expect(chosen.why).toContain(`target host: ${why};`);
});
