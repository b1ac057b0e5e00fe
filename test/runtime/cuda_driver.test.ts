/** The runtime's table of libcuda's calls, with drivers that are not there, too old, or of a GPU that cannot be used. */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  buildArtifact,
  compile,
  compileRuntime,
  dir,
  here,
  run,
  runtime,
  start,
  tinyArtifact,
  writeModel,
} from './tiny.js';

const cudaInclude = join(process.env.CUDA_HOME ?? '/usr/local/cuda', 'include');
const hasCudaHeader = existsSync(join(cudaInclude, 'cuda.h'));

beforeAll(async () => {
  if (!hasCudaHeader) return;
  // Kernels and plan of the host stand in for those of the GPU: no code is loaded before there is a driver.
  const cuda = await compile([join(runtime, 'driver/cuda.cpp')], [`-I${cudaInclude}`]);
  const plan = await compile([tinyArtifact], ['-DTINY_CUDA']);
  const noCode = join(dir, 'no_code.cpp');
  writeFileSync(noCode, `#include "${here}/tiny_kernels.h"\nconst realizar::HostKernel tiny::kernels[] = {{}};\n`);
  await buildArtifact('cuda', [...(await compileRuntime()), ...cuda, ...plan, ...(await compile([noCode]))]);
  writeModel(join(dir, 'tiny.gguf'));
}, 600_000);
afterAll(() => rmSync(dir, { recursive: true }));

describe('cuda driver', () => {
  if (!hasCudaHeader)
    console.error(`skipped: there is no ${cudaInclude}/cuda.h to compile runtime/driver/cuda.cpp with`);
  const hasDriver = async () => (await run('ldconfig', ['-p'])).stdout.includes('libcuda.so.1');

  it.skipIf(!hasCudaHeader)('answers on a machine without a driver', async ({ skip }) => {
    if (await hasDriver()) skip('this machine has a CUDA driver');
    expect(await start('cuda/replay', '--model', join(dir, 'tiny.gguf'), '--tokens', '1')).toEqual({
      code: 1,
      stdout: '',
      stderr:
        'replay: no CUDA driver: libcuda.so.1: cannot open shared object file: No such file or directory; ' +
        'install the NVIDIA driver, or compile with --target host\n',
    });
  });

  // Drivers that know their version and have the other calls that are listed.
  const needed = [...readFileSync(join(runtime, 'driver/cuda.cpp'), 'utf8').matchAll(/\b(cu[A-Z]\w+)"?\);/g)].map(
    (m) => m[1]!,
  );
  it.skipIf(!hasCudaHeader).each([
    [
      'old',
      11080,
      ['cuInit'],
      /it supports CUDA 11\.8 and lacks .*cuGraphAddDependencies_v2.*, and CUDA 12\.3 is needed/,
    ],
    ['complete', 12020, needed, /it supports CUDA 12\.2, and CUDA 12\.3 is needed; install a newer NVIDIA driver/],
  ])('says what is wrong with an %s driver of CUDA %i', async (folder, version, calls, text) => {
    await run('mkdir', ['-p', join(dir, folder)]);
    const source = join(dir, folder, 'driver.c');
    const others = calls
      .filter((call) => call !== 'cuDriverGetVersion')
      .map((call) => `int ${call}(void) { return 1; }\n`);
    writeFileSync(source, `int cuDriverGetVersion(int* v) { *v = ${version}; return 0; }\n${others.join('')}`);
    await run('cc', ['-shared', '-fPIC', source, '-o', join(dir, folder, 'libcuda.so.1')]);
    const env = { ...process.env, LD_LIBRARY_PATH: join(dir, folder) };
    const failure = run(join(dir, 'cuda/replay'), ['--model', join(dir, 'tiny.gguf'), '--tokens', '1'], { env });
    await expect(failure).rejects.toMatchObject({ code: 1, stderr: expect.stringMatching(text) });
  });

  describe.skipIf(!hasCudaHeader)('refuses by name a GPU', () => {
    const folder = join(dir, 'fake');
    beforeAll(async () => {
      const source = join(here, '../fixtures/driver/fake_cuda.c');
      const known = readFileSync(source, 'utf8');
      const works = ['cuDevicePrimaryCtxRetain', 'cuCtxSetCurrent'];
      const others = needed
        .filter((call) => !known.includes(`int ${call}(`))
        .map((call) => `int ${call}(void) { return ${works.includes(call) ? 0 : 1}; }\n`);
      mkdirSync(folder);
      writeFileSync(join(folder, 'others.c'), others.join(''));
      await run('cc', ['-shared', '-fPIC', source, join(folder, 'others.c'), '-o', join(folder, 'libcuda.so.1')]);
    });

    it.each([
      ['of another architecture', 'RTX 3090:8.6:82:101376', /^replay: RTX 3090 has compute capability 8\.6; .* sm_90a/],
      [
        'with less shared memory than a kernel was planned with',
        'Small:9.0:132:59000',
        /^replay: the kernel tiny_logits was planned with 60000 bytes of shared memory a block, and a block has 59000 on Small: compile the model again with --arch sm_90a\n$/,
      ],
      [
        'with fewer multiprocessors than blocks that wait for each other',
        'None:9.0:0:232448',
        /^replay: the 1 blocks of kernel tiny_select wait for each other, and None has 0 multiprocessors to run them/,
      ],
    ])('%s', async (_, gpu, text) => {
      const env = { ...process.env, LD_LIBRARY_PATH: folder, FAKE_GPUS: gpu };
      const failure = run(join(dir, 'cuda/replay'), ['--model', join(dir, 'tiny.gguf'), '--tokens', '1'], { env });
      await expect(failure).rejects.toMatchObject({ code: 1, stderr: expect.stringMatching(text) });
    });

    it('none that has all', async () => {
      const env = { ...process.env, LD_LIBRARY_PATH: folder, FAKE_GPUS: 'Slice:9.0:16:232448' };
      const failure = run(join(dir, 'cuda/replay'), ['--model', join(dir, 'tiny.gguf'), '--tokens', '1'], { env });
      await expect(failure).rejects.toMatchObject({ stderr: expect.stringContaining('cuModuleLoadData failed') });
    });
  });

  it.skipIf(!hasCudaHeader)('does not link against CUDA', async () => {
    const { stdout } = await run('readelf', ['-d', join(dir, 'cuda/libtiny.so')]);
    expect(stdout).not.toMatch(/NEEDED.*(cuda|nvidia)/);
  });
});
