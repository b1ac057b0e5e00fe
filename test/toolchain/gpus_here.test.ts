/** The GPU at hand, on machines whose CUDA driver is a library made here. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { chooseGpu, type GpuChoice, type GpuFlags } from '../../compiler/choose_gpu.js';
import { planModel } from '../../compiler/compile.js';
import { askDriver, type GpusHere } from '../../compiler/gpus_here.js';
import { cudaTarget, hostTarget } from '../../compiler/target/target.js';
import { requireGpu } from '../../compiler/tune/tune.js';
import { cli, type Exit, ROOT } from '../support/artifacts.js';

const scratch = mkdtempSync(join(tmpdir(), 'realizar-gpus-'));
const library = join(scratch, 'libcuda.so.1');
const cache = join(scratch, 'cache');
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const build = (to: string, ...flags: string[]) =>
  execFileSync('cc', [join(ROOT, 'test/fixtures/driver/fake_cuda.c'), '-shared', '-fPIC', '-o', to, ...flags]);

beforeAll(() => build(library));

const H200 = 'NVIDIA H200:9.0:132:232448:233472:62914560:1980000:3201000:6144';
const A100 = 'NVIDIA A100-SXM4-80GB:8.0:108:166912:167936:41943040:1410000:1593000:5120';

interface Machine {
  gpus?: string;
  env?: Record<string, string>;
}

const envOf = ({ gpus = '', env = {} }: Machine) => ({
  ...{ LD_LIBRARY_PATH: scratch, FAKE_GPUS: gpus, REALIZAR_CACHE_DIR: cache },
  ...env,
});
afterEach(() => vi.unstubAllEnvs());

/** What a compile on a machine with these GPUs is for. */
function chosenOn(machine: Machine, flags: GpuFlags = {}): GpuChoice {
  for (const [name, value] of Object.entries(envOf(machine))) vi.stubEnv(name, value);
  return chooseGpu(flags, undefined, askDriver);
}

const MODEL = join(ROOT, 'examples/storyteller-q8_0.gguf');
const compileOn = (machine: Machine, ...args: string[]): Promise<Exit> =>
  cli(args, { env: { ...process.env, ...envOf(machine) } });

describe('a GPU that is here', () => {
  test('is what is compiled for, by the numbers that its driver tells', async () => {
    const out = join(scratch, 'out');
    const { stderr } = await compileOn({ gpus: H200 }, MODEL, '--target', 'cuda', '--no-build', '-o', out);
    expect(stderr).toMatch(
      /^target +\d+\.\d s {2}NVIDIA H200: sm_90a, 132 multiprocessors, 227 KiB shared memory a block, 60 MiB L2, 4\.92 TB\/s$/m,
    );
    const { target } = JSON.parse(readFileSync(join(out, 'plan.json'), 'utf8'));
    expect(target.archs).toEqual(['sm_90a']);
    expect(target.gpu).toEqual({
      ...{ name: 'NVIDIA H200', capability: '9.0', multiprocessors: 132, sharedBytes: 232448 },
      ...{ sharedPerMultiprocessor: 233472, l2Bytes: 62914560, bandwidth: (2 * 3201e6 * 6144) / 8, clock: 1980e6 },
    });
    expect((await compileOn({}, 'inspect', out)).stdout).toMatch(
      /planned for +"NVIDIA H200", 132 multiprocessors; runs on other GPUs of sm_90a as well/,
    );
    expect((await compileOn({}, 'verify', out, '--model', MODEL)).code).toBe(0);
  });

  test('has the grid of its own size', () => {
    const { archs, gpu } = chosenOn({
      gpus: 'NVIDIA GeForce RTX 4060:8.9:24:101376:102400:25165824:2460000:8501000:128',
    });
    const plan = planModel(MODEL, { target: 'cuda', archs, gpu, programs: ['token'] });
    expect(plan.target).toMatchObject({ archs: ['sm_89'], gpu: { multiprocessors: 24 } });
    expect(Math.max(...plan.kernels.map(({ launch }) => launch.blocks))).toBe(24);
  });

  test('is left out of it where --arch or --gpu say otherwise, or the target is the host', async () => {
    expect(chosenOn({ gpus: H200 }, { arch: ['sm_89'] })).toMatchObject({
      said: expect.stringMatching(/^sm_89, planned for its largest part: RTX 4090, 128 multiprocessors/),
      archs: ['sm_89'],
    });
    expect(chosenOn({ gpus: H200 }, { gpu: 'rtx-4060' })).toMatchObject({
      said: expect.stringMatching(/^RTX 4060: sm_89, 24 multiprocessors/),
      archs: ['sm_89'],
    });
    expect(chosenOn({}, { gpu: '4060', arch: ['sm_86', 'sm_90a'] }).archs).toEqual(['sm_86', 'sm_90a']);
    expect(() => chosenOn({}, { gpu: '4060', arch: ['sm_90a'] })).toThrow(
      '--gpu RTX 4060 has compute capability 8.9, and code for sm_90a does not run there: leave out --arch, or add sm_89',
    );
    const { code, stderr } = await compileOn({ gpus: H200 }, 'plan', MODEL, '--target', 'host', '--gpu', 'L4');
    expect(stderr).toContain('--gpu is for GPUs; the host target is none');
    expect(code).toBe(2);
  });

  test('is what --tune measures on, where the code runs there', async () => {
    const [target, other] = [cudaTarget(['sm_90a']), cudaTarget(['sm_89'])];
    for (const [name, value] of Object.entries(envOf({ gpus: H200 }))) vi.stubEnv(name, value);
    requireGpu(target, askDriver);
    requireGpu(hostTarget(), () => expect.unreachable());
    expect(() => requireGpu(other, askDriver)).toThrow(
      '--tune measures on the GPU at hand, and the first here is NVIDIA H200 (sm_90a), where code for sm_89 does not run: run it',
    );
    const { code, stderr } = await compileOn(
      { gpus: 'T4:7.5:40:65536:65536:4194304' },
      MODEL,
      '--target',
      'cuda',
      '--tune',
    );
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /and the first here is T4 \(compute capability 7\.5 lacks .*\), where code for sm_90a does not/,
    );
  });

  test('and others: the first counts, others are named', () => {
    expect(chosenOn({ gpus: `${A100};${A100}` }).said).toMatch(
      /^NVIDIA A100-SXM4-80GB: sm_80, .*; the first of 2 alike$/,
    );
    expect(chosenOn({ gpus: `${A100};${H200};${H200}` }).said).toMatch(
      /sm_80, 108 .*; the first of 3, others are NVIDIA H200 \(CUDA_VISIBLE_DEVICES or --gpu names another\)$/,
    );
  });

  test('whose driver tells no bandwidth: it is the table’s', () => {
    const spark = 'NVIDIA GB10:12.1:48:101376:102400:25165824:2418000:0:0';
    expect(chosenOn({ gpus: spark }).gpu).toMatchObject({ bandwidth: 273e9, multiprocessors: 48 });
    const orinNx = 'Orin:8.7:8:166912:167936:4194304:918000:918000:128'; // the GPU's own clock
    expect(chosenOn({ gpus: orinNx }).gpu).toMatchObject({ bandwidth: 102.4e9, name: 'Orin' });
  });

  test('whose driver is too old for what running needs is planned for, and said', () => {
    const { said } = chosenOn({ gpus: A100, env: { FAKE_DRIVER: '11080' } });
    expect(said).toMatch(/; its driver is of CUDA 11\.8, and running needs 12\.3 or newer$/);
  });

  test('is listed by `gpus`', async () => {
    const { code, stdout } = await compileOn({ gpus: `${H200};T4:7.5:40:65536:65536:4194304` }, 'gpus');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^here, by a driver of CUDA 13\.0:\nGPU .*\nNVIDIA H200 +sm_90a +132 .*\nT4 +none: compute/);
    expect(stdout).toMatch(/^RTX 4090 +sm_89 +128 /m);
  });
});

describe('no GPU of use here: an H100 is planned for, and why', () => {
  test.each<[string, Machine, RegExp]>([
    ['none', {}, /no GPU found here \(the CUDA driver sees no GPU\)/],
    ['none told by an error', { env: { FAKE_INIT: '100' } }, /no GPU found here \(the CUDA driver sees no GPU\)/],
    ['none to be seen', { env: { CUDA_VISIBLE_DEVICES: '' } }, /sees no GPU with CUDA_VISIBLE_DEVICES: ""\)/],
    ['an error', { env: { FAKE_INIT: '803' } }, /\(cuInit failed with error 803: CUDA_ERROR_SYSTEM_DRIVER_MISMATCH\)/],
    ['an error without a name', { env: { FAKE_INIT: '7' } }, /\(cuInit failed with error 7\)/],
    ['a driver that crashes', { env: { FAKE_INIT: 'crashes' } }, /\(the CUDA driver ended .* with SIGABRT\)/],
    ['no driver', { env: { LD_LIBRARY_PATH: '/nonexistent' } }, /\(no CUDA driver: there is no libcuda\.so\.1\)/],
    [
      'a Turing',
      { gpus: 'Tesla T4:7.5:40:65536:65536:4194304:1590000:5001000:256' },
      /not for the GPU here: Tesla T4: compute capability 7\.5 lacks .*cp\.async.* bf16.*8\.0/,
    ],
    [
      'one of tomorrow',
      { gpus: 'NVIDIA R100:13.0:200:232448:233472' },
      /not for the GPU here: NVIDIA R100: compute capability 13\.0 is not known .* newer/,
    ],
    ['nonsense', { gpus: 'Odd:0.0:0' }, /no GPU found here \(the CUDA driver tells nothing of Odd\)/],
  ])('%s', (_, machine, why) => {
    const { said, archs } = chosenOn(machine);
    expect(said).toMatch(/^H100 SXM: sm_90a, 132 multiprocessors, /);
    expect(said).toMatch(why);
    expect(archs).toEqual(['sm_90a']);
  });

  test('a driver that lacks a call', () => {
    const folder = join(scratch, 'lacking');
    mkdirSync(folder);
    build(join(folder, 'libcuda.so.1'), '-DcuDeviceGetCount=other');
    const { said } = chosenOn({ env: { LD_LIBRARY_PATH: folder } });
    expect(said).toContain('(the CUDA driver lacks cuDeviceGetCount)');
  });

  test('no C compiler, and a cache that cannot be written', () => {
    writeFileSync(join(scratch, 'file'), '');
    const unwritable = { REALIZAR_CACHE_DIR: join(scratch, 'file/cache') };
    expect(chosenOn({ gpus: H200, env: unwritable }).said).toMatch(/^NVIDIA H200: sm_90a/);
    const bin = join(scratch, 'bin');
    mkdirSync(bin);
    const { said } = chosenOn({ gpus: H200, env: { PATH: bin, REALIZAR_CACHE_DIR: join(scratch, 'other') } });
    expect(said).toMatch(/cannot ask the CUDA driver: no C compiler/);
  });

  test('the program that asks is kept in the cache once, without leftovers', () => {
    expect(readdirSync(cache).filter((name) => name.startsWith('device-info-'))).toHaveLength(1);
  });
});

describe('nvcc that is older than the GPU', () => {
  const [name, multiprocessors, sharedBytes, sharedPerMultiprocessor] = ['a GPU', 100, 101376, 102400];
  const here = (capability: string): GpusHere => ({
    driver: '13.0',
    gpus: [
      ...[
        {
          name,
          capability,
          multiprocessors,
          sharedBytes,
          sharedPerMultiprocessor,
          l2Bytes: 1e6,
          bandwidth: 1e12,
          clock: 1e9,
        },
      ],
    ],
  });
  test.each([
    ['12.1', '12.8', 'sm_120'],
    ['12.1', '12.9', 'sm_121'],
    ['10.3', '12.8', 'sm_100'],
    ['10.3', undefined, 'sm_103'],
    ['9.0', '12.3', 'sm_90a'],
  ])('%s with CUDA %s: %s', (capability, toolkit, arch) => {
    expect(chooseGpu({}, toolkit, () => here(capability)).archs).toEqual([arch]);
  });
  test('and has nothing that runs there', () => {
    const choice = chooseGpu({}, '12.4', () => here('12.0'));
    expect(choice.archs).toEqual(['sm_90a']);
    expect(choice.said).toMatch(
      /a GPU needs sm_120, which nvcc knows from CUDA 12\.8 on; the one here is of CUDA 12\.4$/,
    );
    expect(() => chooseGpu({ gpu: 'RTX 5090' }, '12.4')).toThrow(
      'RTX 5090 needs sm_120, which nvcc knows from CUDA 12.8',
    );
  });
});
