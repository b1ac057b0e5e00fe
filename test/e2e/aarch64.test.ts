/** The host target of aarch64, by a cross compiler and run under qemu: two models, the runtime's C++ tests and the simulator's. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { openModel } from '../../runtime/addon/index.js';
import { THIS_MACHINE } from '../../runtime/toolchain/machine.js';
import { findProgram } from '../../runtime/toolchain/programs.js';
import { cli, type Exit, firstDifference, greedyTokens, ROOT, runProgram } from '../support/artifacts.js';
import { failingCompiler } from '../support/compilers.js';
import { compileEach } from '../support/cxx.js';
import { emptyFolder } from '../support/folders.js';
import { readGolden } from '../support/goldens.js';
import { nmse, readF32 } from '../support/nmse.js';
import { temporaryFolder } from '../support/tiny_models.js';

const CXX = 'aarch64-linux-gnu-g++';
const LIBRARIES = '/usr/aarch64-linux-gnu';
const emulator = ['qemu-aarch64', 'qemu-aarch64-static'].find((name) => findProgram(name) !== undefined);
const here = findProgram(CXX) !== undefined && emulator !== undefined;
if (!here)
  console.error(
    `${CXX} and qemu-aarch64 are not both here (Debian: g++-aarch64-linux-gnu, qemu-user): nothing is run as on Arm.`,
  );

const folder = emptyFolder(temporaryFolder);
const cache = join(folder, 'cache');
const emulated = (program: string, ...args: string[]): Promise<Exit> =>
  runProgram(emulator!, ['-L', LIBRARIES, program, ...args]);

const GOLDENS = ['llama-q4_k_m', 'qwen3moe-q8_0'];
const compileGolden = (name: string): Promise<Exit> =>
  cli([readGolden(name).model, '--target', 'host', '-o', join(folder, name)], {
    env: { ...process.env, CXX, REALIZAR_CACHE_DIR: cache },
  });

const TESTS = join(ROOT, 'test/runtime');
const sourcesIn = (where: string): string[] =>
  readdirSync(where)
    .filter((name) => name.endsWith('.cpp'))
    .map((name) => join(where, name));
const PROGRAMS = { runtime: sourcesIn(TESTS), sim: sourcesIn(join(TESTS, 'sim')) };
const programOf = (name: string): string => join(folder, `${name}_test`);

const textOf = (files: readonly string[]): string => files.map((file) => readFileSync(file, 'utf8')).join('\n');
const casesIn = (files: readonly string[], macro: string): string[] =>
  [...textOf(files).matchAll(new RegExp(`^${macro}\\((\\w+)\\)`, 'gm'))].map((match) => match[1]!);

/** Counting draws by the ten thousand is the same arithmetic on any processor, and slow here. */
const LONG = /^has_the_distribution|^draws_from_(\d{4}|7_by)|^the_same_seed_draws/;
/** Ends the process, on purpose. */
const UNSAFE = /^unsafe_/;

/** Tests as objects, and with the runtime that the compile of a model has made: it is what ships. */
async function buildTests(): Promise<void> {
  const archive = join(cache, readdirSync(cache)[0]!, 'librealizar_runtime.a');
  const objectOf = (source: string) => join(folder, `${source.replaceAll('/', '_')}.o`);
  const flags = ['-std=c++20', '-O0', '-Wall', '-Wextra', '-Werror', '-Wno-unknown-pragmas'];
  await compileEach(CXX, flags, Object.values(PROGRAMS).flat(), objectOf);
  for (const [name, sources] of Object.entries(PROGRAMS)) {
    const objects = sources.map(objectOf);
    expect(await runProgram(CXX, [...objects, archive, '-pthread', '-o', programOf(name)])).toMatchObject({ code: 0 });
  }
}

describe.skipIf(!here)('as on aarch64', () => {
  const compiled: Exit[] = [];
  beforeAll(async () => {
    for (const name of GOLDENS) compiled.push(await compileGolden(name));
    await buildTests();
  }, 900_000);

  test('CXX names the compiler, and what it makes is for its machine', async () => {
    const [first, second] = compiled;
    expect(first).toMatchObject({ code: 0, stdout: '' });
    expect(first!.stderr).toMatch(/^build .*runtime compiled, for aarch64 by aarch64-linux-gnu-g\+\+$/m);
    expect(first!.stderr).toMatch(/^run it on aarch64: npx realizar-run /m);
    expect(second!.stderr).toMatch(/^build .*runtime as compiled before, for aarch64 by aarch64-linux-gnu-g\+\+$/m);
    const artifact = join(folder, GOLDENS[0]!);
    const { stdout } = await cli(['inspect', artifact]);
    expect(stdout).toMatch(/^ +library +libllama-q4_k_m\.so, for Linux on aarch64$/m);
    expect(await cli(['verify', artifact])).toMatchObject({ code: 0, stderr: '' });
    expect((await compileGolden(GOLDENS[0]!)).stderr).toContain('is up to date');
  });

  test.skipIf(THIS_MACHINE !== 'x86-64')(
    'on another machine it is refused by name, and is not up to date',
    async () => {
      const artifact = join(folder, GOLDENS[0]!);
      expect(await cli(['verify', artifact, '--rebuild'])).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(
          /needs a C\+\+ compiler for aarch64, which .* was built for, .* is for x86-64; CXX/,
        ),
      });
      await expect(openModel(artifact, { model: readGolden(GOLDENS[0]!).model })).rejects.toMatchObject({
        statusName: 'BAD_ARTIFACT',
        message: expect.stringMatching(/libllama-q4_k_m\.so is for aarch64, and this machine is x86-64; compile /),
      });
      // With a compiler that fails at once: it is asked to build, and the artifact stays as it was.
      const env = { ...process.env, CXX: failingCompiler(folder), REALIZAR_CACHE_DIR: cache };
      const again = await cli([readGolden(GOLDENS[0]!).model, '--target', 'host', '-o', artifact], { env });
      expect(again).toMatchObject({ code: 1, stderr: expect.stringContaining('this one is meant') });
      expect(await cli(['verify', artifact])).toMatchObject({ code: 0 });
    },
  );

  test.each(GOLDENS)('%s has its logits, in every mode and order', async (name) => {
    const { model, tokens, logits, greedy, vocabSize } = readGolden(name);
    const decode = async (...args: string[]) => {
      const file = join(folder, `${name}.f32`);
      const given = ['--model', model, '--tokens', tokens.join(), '--logits', file, ...args];
      expect(await emulated(join(folder, name, 'replay'), ...given)).toEqual({ code: 0, stdout: '', stderr: '' });
      return readF32(file);
    };
    const found = await decode();
    expect(nmse(found, logits)).toBeLessThanOrEqual(1e-5);
    expect(greedyTokens(found, vocabSize)).toEqual(greedy);
    for (const args of [
      ['--mode', 'eager'],
      ['--poison', '--order-seed', '7'],
    ])
      expect(firstDifference(found, await decode(...args)), args.join(' ')).toBeUndefined();
  });

  describe.each([
    ['runtime', 'TEST'],
    ['sim', 'CASE'],
  ] as const)('C++: %s', (name, macro) => {
    const all = casesIn(PROGRAMS[name], macro).filter((test) => !LONG.test(test) && !UNSAFE.test(test));
    test.each(all)('%s', async (test) => {
      expect(await emulated(programOf(name), test)).toEqual({ code: 0, stdout: '', stderr: '' });
    });
  });
});
