/** The command line as a user meets it: usage, what it prints, what it refuses. Runs dist/. */
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { PLAN_VERSION } from '../../compiler/plan/plan.js';
import { CLI, cli, runProgram } from '../support/artifacts.js';
import { emptyFolder } from '../support/folders.js';
import { str, u32 } from '../support/gguf_writer.js';
import { readGolden } from '../support/goldens.js';
import { temporaryFolder, tinyModel, withKeys, writeModel } from '../support/tiny_models.js';

const { model } = readGolden('llama-q8_0');

let cwd: string;
beforeEach(() => {
  cwd = emptyFolder(temporaryFolder);
});

describe('usage', () => {
  test('--help names every command and option, and the exit codes', async () => {
    const { code, stdout, stderr } = await cli(['--help']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    for (const word of [
      'inspect',
      'plan',
      'verify',
      '-o,',
      '--target',
      '--arch',
      '--context',
      '--no-build',
      'Exit codes',
    ])
      expect(stdout).toContain(word);
    for (const command of ['inspect', 'plan', 'verify']) expect((await cli([command, '--help'])).code).toBe(0);
  });

  test('--version is the version', async () => {
    const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
    expect(await cli(['--version'])).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' });
  });

  test.each([
    ['no model', []],
    ['an unknown option', [model, '--frobnicate']],
    ['an unknown target', [model, '--target', 'vulkan']],
    ['a context that is no number', [model, '--context', '12x']],
    ['a negative context', [model, '--context', '-1']],
    ['two models', [model, model]],
    ['plan without a model', ['plan']],
    ['an option without its value', [model, '-o']],
  ])('%s: exit code 2, a message, nothing written', async (_, args) => {
    const { code, stdout, stderr } = await cli(args, { cwd });
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/^error: \S/);
    expect(readdirSync(cwd)).toEqual([]);
  });
});

test.each([
  [['--sanitize', '--target', 'cuda'], '--sanitize is for the host target'],
  [['--candidates', 'x'], '--candidates and --measurements are for --tune'],
  [['--tune', '--no-tuning'], '--tune writes a tuning file'],
  [['-o', ''], '-o names no folder'],
])('%j: exit code 2 before the model is read', async (args, message) => {
  const { code, stdout, stderr } = await cli(['nothing.gguf', ...args], { cwd });
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toMatch(new RegExp(`^realizar-compile: ${message}`));
});

test.each(['plan --json', 'inspect', '--help'])('%s may be read in part', async (command) => {
  const line = `"${process.execPath}" "${CLI}" ${command} "${model}" | head -c 10; exit \${PIPESTATUS[0]}`;
  const { code, stderr } = await runProgram('bash', ['-c', line]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
});

test('what the operating system refuses is said in a line', async () => {
  mkdirSync(join(cwd, 'folder.tuning.json'));
  const { code, stderr } = await cli([model, '--no-build', '--target', 'host', '-o', 'folder'], { cwd });
  expect(code).toBe(1);
  expect(stderr.trim().split('\n')).toHaveLength(1);
});

describe('plan', () => {
  test('prints a line a node, and writes nothing', async () => {
    const { code, stdout, stderr } = await cli(['plan', model, '--target', 'host'], { cwd });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    // Two layers of five nodes; embedding, output projection and selection.
    const rows = stdout.split('\n').filter((line) => /^ *\d+ {2}\S/.test(line));
    expect(rows).toHaveLength(13);
    expect(rows[0]).toMatch(/token_embd .* token_embd\.weight Q8_0 \[300 x 128\]/);
    expect(rows[12]).toContain('select');
    expect(stdout).toContain('13 nodes');
    expect(readdirSync(cwd)).toEqual([]);
  });

  test('--json prints the whole plan, the same each time', async () => {
    const { code, stdout } = await cli(['plan', model, '--json']);
    expect(code).toBe(0);
    const plan = JSON.parse(stdout);
    expect(plan).toMatchObject({
      version: PLAN_VERSION,
      target: { kind: 'cuda', archs: ['sm_90a'] },
      model: { vocabSize: 300 },
    });
    expect(plan.programs[0].nodes).toHaveLength(13);
    expect((await cli(['plan', model, '--json'])).stdout).toBe(stdout);
  });

  test('follows --arch and --context', async () => {
    const args = ['plan', model, '--json', '--arch', 'sm_80,sm_120', '--context', '100'];
    const plan = JSON.parse((await cli(args)).stdout);
    expect(plan).toMatchObject({ target: { archs: ['sm_80', 'sm_120'] }, model: { contextLength: 100 } });
    // Two layers, two KV heads of 32, keys and values of two bytes, pages of 64 positions.
    expect(plan.memory.kvCacheBytes).toBe(2 * 2 * 2 * 32 * 2 * 128);
  });

  test.each([
    [2, ['--arch', 'sm_1'], /"sm_1"; known are .*sm_90a/],
    [2, ['--arch', ''], /unknown GPU architecture ""/],
    [2, ['--arch', 'sm_80,sm_80'], /named twice/],
    [2, ['--target', 'host', '--arch', 'sm_80'], /--arch/],
    [2, ['--context', '0'], /llama-q8_0\.gguf: --context 0: .* choose 1 to 512/],
    [1, ['--context', '513'], /--context 513: .*512/],
    [1, ['--context', '999999999999999'], /choose 1 to 512/],
  ] as const)('exits with %i for %j', async (exit, args, message) => {
    for (const command of [
      ['plan', model],
      [model, '--no-build'],
    ]) {
      const { code, stdout, stderr } = await cli([...command, ...args], { cwd });
      expect({ code, stdout }).toEqual({ code: exit, stdout: '' });
      expect(stderr).toMatch(message);
      expect(readdirSync(cwd)).toEqual([]);
    }
  });

  test('takes the whole context where the model has fewer positions than the default', async () => {
    const short = writeModel(withKeys(tinyModel(), { 'llama.context_length': u32(77) }), 'short.gguf');
    const long = writeModel(withKeys(tinyModel(), { 'llama.context_length': u32(131072) }), 'long.gguf');
    const context = async (path: string, ...args: string[]) =>
      JSON.parse((await cli(['plan', path, '--json', ...args])).stdout).model.contextLength;
    expect(await context(short)).toBe(77);
    expect(await context(long)).toBe(8192);
    expect(await context(long, '--context', '10000')).toBe(10000);
  });
});

describe('inspect', () => {
  test('shows metadata, tensors and memory', async () => {
    const { code, stdout } = await cli(['inspect', model]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/general\.architecture +string +"llama"/);
    expect(stdout).toMatch(/token_embd\.weight +Q8_0 +128 x 300/);
    expect(stdout).toContain('can be compiled');
  });

  test('--json is the same as data', async () => {
    const { stdout } = await cli(['inspect', '--json', model]);
    const inspection = JSON.parse(stdout);
    expect(inspection).toMatchObject({ version: 3, refusal: null });
    expect(inspection.tensors).toContainEqual(
      expect.objectContaining({ name: 'token_embd.weight', type: 'Q8_0', shape: [128, 300] }),
    );
  });

  test('shows the kernels that a compile would plan', async () => {
    const { nodes } = JSON.parse((await cli(['inspect', '--json', model])).stdout);
    const plan = JSON.parse((await cli(['plan', '--json', model])).stdout);
    expect(nodes.map(({ name }: { name: string }) => name)).toEqual(
      plan.programs[0].nodes.map(({ name }: { name: string }) => name),
    );
    expect((await cli(['inspect', model])).stdout).toMatch(/13 nodes a token[\s\S]*12 +select/);
  });

  test('shows a model that cannot be compiled, and why', async () => {
    const path = writeModel(withKeys(tinyModel(), { 'general.architecture': str('mamba') }), 'mamba.gguf');
    const { code, stdout } = await cli(['inspect', path]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/cannot be compiled.*"mamba"/s);
    expect(JSON.parse((await cli(['inspect', '--json', path])).stdout)).toMatchObject({ nodes: null });
  });
});

describe('compile', () => {
  test('writes generated/<stem> in the working directory and says what to do next', async () => {
    const { code, stdout, stderr } = await cli([model, '--target', 'cuda', '--no-build'], { cwd });
    expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
    expect(readdirSync(cwd)).toEqual(['generated']);
    const folder = join(cwd, 'generated/llama-q8_0');
    const files = ['CMakeLists.txt', 'code.S', 'graph.cpp', 'index.d.mts', 'index.mjs', 'kernels.cu', 'manifest.json'];
    expect(readdirSync(folder).sort()).toEqual([...files, 'model-path.json', 'model.h', 'plan.json']);
    expect(stderr).toMatch(/^target .* s .*\nread .* s .*\nplan .* s .*\nemit .* s .*\n/);
    expect(stderr).toContain('generated/llama-q8_0: 13 nodes');
    const again = await cli([model, '--target', 'cuda', '--no-build'], { cwd });
    expect(again.stderr).toContain('up to date');
    expect(await cli([model, '--target', 'cuda', '--no-build', '--quiet'], { cwd })).toMatchObject({
      code: 0,
      stderr: '',
    });
  });

  test.each([
    ['an empty file', Buffer.alloc(0), /empty|bytes/],
    ['a text', Buffer.from('hello, this is not a model\n'), /magic|GGUF/],
    ['a file cut in its header', readFileSync(model).subarray(0, 3000), /bad.gguf: metadata .* byte \d+/],
    ['a file cut in its tensors', readFileSync(model).subarray(0, 200_000), /past the end|200000|ends/],
  ])('%s: exit code 1, a message that names it, nothing written', async (_, bytes, message) => {
    writeFileSync(join(cwd, 'bad.gguf'), bytes);
    const { code, stdout, stderr } = await cli(['bad.gguf', '--target', 'host'], { cwd });
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^realizar-compile: bad\.gguf: /m);
    expect(stderr).toMatch(message);
    expect(readdirSync(cwd)).toEqual(['bad.gguf']);
  });

  test.each([
    ['a missing file', 'nothing-here.gguf', /nothing-here\.gguf/],
    ['a folder of something else', '.', /as transformers saves it, .* found no config\.json/],
  ])('%s: exit code 1', async (_, path, message) => {
    const { code, stderr } = await cli([path, '--target', 'host'], { cwd });
    expect(code).toBe(1);
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/^ {4}at /m);
    expect(readdirSync(cwd)).toEqual([]);
  });

  test('another architecture is refused by name before anything is written', async () => {
    const path = writeModel(withKeys(tinyModel(), { 'general.architecture': str('mamba') }), 'mamba.gguf');
    const { code, stderr } = await cli([path, '--target', 'host'], { cwd });
    expect(code).toBe(1);
    expect(stderr).toMatch(/"mamba".* is not supported: .*llama.*qwen2.*qwen3/);
    expect(readdirSync(cwd)).toEqual([]);
  });

  test.skipIf(existsSync('/usr/local/cuda/bin/nvcc'))('without nvcc the message names it and the ways on', async () => {
    const env = { ...process.env, PATH: withoutNvcc(process.env.PATH!), CUDA_HOME: '', CUDA_PATH: '' };
    for (const target of [[], ['--target', 'cuda']]) {
      const { code, stderr } = await cli([model, ...target], { cwd, env });
      expect(code).toBe(1);
      expect(stderr).toMatch(/nvcc not found .*CUDA_HOME.*--target host/);
      expect(readdirSync(cwd)).toEqual([]);
    }
  });

  test('without cmake the message names it', async () => {
    copyFileSync(model, join(cwd, 'model.gguf'));
    const env = { ...process.env, PATH: '/nowhere' };
    const { code, stderr } = await cli(['model.gguf', '--target', 'host'], { cwd, env });
    expect(code).toBe(1);
    expect(stderr).toMatch(/cmake .*not found.*--no-build/);
    expect(readdirSync(join(cwd)).filter((name) => name !== 'generated')).toEqual(['model.gguf']);
  });
});

function withoutNvcc(path: string): string {
  return path
    .split(':')
    .filter((folder) => !existsSync(join(folder, 'nvcc')))
    .join(':');
}
