/** What make demo compiles for, on machines made of programs that stand in for nvcc and nvidia-smi. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, expect, test, vi } from 'vitest';
import { optionsForThisMachine } from '../../examples/this_machine.js';

const scratch = mkdtempSync(join(tmpdir(), 'realizar-machine-'));
afterEach(() => vi.unstubAllEnvs());
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

function program(name: string, script: string): void {
  const path = join(scratch, name);
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
}

/** nvcc 12.4, and an nvidia-smi that does this. */
function machine(nvidiaSmi: string): void {
  mkdirSync(join(scratch, 'bin'), { recursive: true });
  program('bin/nvcc', 'echo "Cuda compilation tools, release 12.4, V12.4.131"');
  program('nvidia-smi', nvidiaSmi);
  vi.stubEnv('CUDA_HOME', scratch);
  vi.stubEnv('PATH', `${scratch}:${process.env.PATH}`);
}

test('a GPU and nvcc: cuda, for the first GPU', () => {
  machine('echo 9.0; echo 8.0');
  expect(optionsForThisMachine()).toEqual({
    options: ['--target', 'cuda', '--arch', 'sm_90'],
    why: 'target cuda: nvcc and a GPU (sm_90) are here',
  });
});

test.each([
  ['no driver', 'echo "NVIDIA-SMI has failed" >&2; exit 9', 'nvcc is here, but no GPU'],
  ['a driver that sees no GPU', 'echo "No devices were found"', 'nvcc is here, but no GPU'],
  ['a GPU too old for the kernels', 'echo 7.5', 'the GPU is sm_75, which is not supported'],
])('%s: host, and why', (_, nvidiaSmi, why) => {
  machine(nvidiaSmi);
  const chosen = optionsForThisMachine();
  expect(chosen.options).toEqual(['--target', 'host']);
  expect(chosen.why).toContain(`target host: ${why};`);
});
