/** Artifact folders over their life: made, made again, checked, replaced, and left alone when a build fails. */
import { type ChildProcess, spawn } from 'node:child_process';
import {
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { CLI, cli, folderContent, replay } from '../support/artifacts.js';
import { endlessCompiler, failingCompiler, untilExists } from '../support/compilers.js';
import { emptyFolder } from '../support/folders.js';
import { readGolden } from '../support/goldens.js';
import { temporaryFolder } from '../support/tiny_models.js';

const { model, tokens } = readGolden('llama-q8_0');
const other = readGolden('llama-q4_0').model;
const host = ['--target', 'host', '--quiet'];

const shelf = emptyFolder(temporaryFolder);
const artifact = join(shelf, 'artifact');
let made: Map<string, string>;

beforeAll(async () => {
  expect(await cli([model, ...host, '-o', artifact])).toEqual({ code: 0, stdout: '', stderr: '' });
  made = folderContent(artifact);
});

/** A folder with a copy of the artifact in it. */
let cwd: string;
let copy: string;
beforeEach(() => {
  cwd = emptyFolder(temporaryFolder);
  copy = join(cwd, 'copy');
  cpSync(artifact, copy, { recursive: true });
});

describe('the same model', () => {
  test('gives the same bytes, the library too, wherever it is compiled', async () => {
    const again = join(cwd, 'somewhere/else entirely');
    expect((await cli([model, ...host, '-o', again], { cwd })).code).toBe(0);
    const files = folderContent(again);
    expect([...files.keys()]).toEqual([...made.keys()]);
    for (const [name, content] of made) expect(files.get(name) === content, name).toBe(true);
  });

  test('gives the same source for a GPU', async () => {
    for (const folder of ['a', 'b/c']) {
      expect((await cli([model, '--target', 'cuda', '--no-build', '--quiet', '-o', folder], { cwd })).code).toBe(0);
    }
    expect(folderContent(join(cwd, 'a'))).toEqual(folderContent(join(cwd, 'b/c')));
  });

  test('is not built twice', async () => {
    const env = { ...process.env, CXX: '/bin/false' };
    const { code, stderr } = await cli([model, '--target', 'host', '-o', artifact], { env });
    expect(code).toBe(0);
    expect(stderr).toContain('up to date');
  });
});

describe('verify', () => {
  test('passes what was just made', async () => {
    expect(await cli(['verify', artifact])).toMatchObject({ code: 0, stderr: '' });
    const { code, stdout } = await cli(['verify', artifact, '--model', model]);
    expect(code).toBe(0);
    expect(stdout).toContain(model);
  });

  test.each(['graph.cpp', 'libllama-q8_0.so', 'replay', 'plan.json'])('names %s when it has changed', async (name) => {
    const bytes = readFileSync(join(copy, name));
    bytes[bytes.length - 5]! ^= 1;
    writeFileSync(join(copy, name), bytes);
    const { code, stdout, stderr } = await cli(['verify', copy]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain(`${name}: changed`);
  });

  test('names what is missing', async () => {
    rmSync(join(copy, 'kernels.cu'));
    rmSync(join(copy, 'libllama-q8_0.so'));
    const { code, stderr } = await cli(['verify', copy]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/kernels\.cu: missing[\s\S]*libllama-q8_0\.so: missing/);
  });

  test('names what the manifest leaves out', async () => {
    const path = join(copy, 'manifest.json');
    const manifest = JSON.parse(readFileSync(path, 'utf8'));
    writeFileSync(path, JSON.stringify({ ...manifest, files: {} }));
    rmSync(join(copy, 'libllama-q8_0.so'));
    const { code, stderr } = await cli(['verify', copy]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/plan\.json: not in manifest\.json[\s\S]*libllama-q8_0\.so: not in manifest\.json/);
    expect((await cli(['inspect', copy])).stderr).toContain('plan.json: not in manifest.json');
  });

  test('tells the source of another model, or of another compiler', async () => {
    const { code, stderr } = await cli(['verify', artifact, '--model', other]);
    expect(code).toBe(1);
    expect(stderr).toContain(`graph.cpp: not what this compiler emits for ${other}`);
    const manifest = readFileSync(join(copy, 'manifest.json'), 'utf8');
    writeFileSync(
      join(copy, 'manifest.json'),
      manifest.replace(/"compilerVersion": "[^"]*"/, '"compilerVersion": "0.0.1"'),
    );
    expect((await cli(['verify', copy])).stderr).toContain('made by realizar-compile 0.0.1');
  });

  test.each([
    ['a folder without a manifest', undefined, /no manifest\.json/],
    ['a manifest that is no JSON', '{', /manifest\.json: .*compile the model again/],
    ['a manifest of something else', '{"name": "x"}', /not a manifest of realizar-compile/],
    ['a manifest of another version', '{"format": "realizar-artifact", "version": 99}', /manifest version 99/],
    [
      'a manifest without its fields',
      '{"format": "realizar-artifact", "version": 3}',
      /compilerVersion: expected a text .* found nothing/,
    ],
  ])('refuses %s', async (_, manifest, message) => {
    mkdirSync(join(cwd, 'odd'));
    if (manifest !== undefined) writeFileSync(join(cwd, 'odd/manifest.json'), manifest);
    const { code, stderr } = await cli(['verify', 'odd'], { cwd });
    expect(code).toBe(1);
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/^ {4}at /m);
  });
});

describe('inspect', () => {
  test('shows what an artifact is', async () => {
    const { code, stdout, stderr } = await cli(['inspect', artifact]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain('its files as they were built');
    expect(stdout).toMatch(/token_embd\.weight +Q8_0 +128 x 300/);
    // Two layers of two KV heads of 32, keys and values of two bytes.
    expect(stdout).toMatch(/512 tokens +256\.00 KiB KV cache .* as compiled/);
    // 90% of 24 GiB, less half a megabyte of weights and 0.3 of activations, by 256 KiB.
    expect(stdout).toMatch(/512 tokens .* 8847\d sequences in 24 GiB, 2949[01]\d sequences in 80 GiB/);
    expect(stdout).toMatch(/13 nodes a token[\s\S]*12 +select/);
  });

  test('--json is the same as data, of the model that was compiled', async () => {
    const ofArtifact = JSON.parse((await cli(['inspect', '--json', artifact])).stdout);
    const ofModel = JSON.parse((await cli(['inspect', '--json', model])).stdout);
    expect(ofArtifact).toMatchObject({ damages: [], manifest: { name: 'llama-q8_0', target: 'host' } });
    const byName = (tensors: { name: string; type: string; shape: number[]; bytes: number }[]) =>
      new Map(tensors.map(({ name, type, shape, bytes }) => [name, { type, shape, bytes }]));
    expect(byName(ofArtifact.tensors)).toEqual(byName(ofModel.tensors));
    expect(ofArtifact.types).toEqual(
      ofModel.types.map(({ type, tensors, bytes }: Record<string, unknown>) => ({ type, tensors, bytes })),
    );
    expect(ofArtifact.nodes).toHaveLength(13);
  });

  test('says what has changed, and refuses what is no artifact', async () => {
    writeFileSync(join(copy, 'graph.cpp'), '');
    const { code, stdout } = await cli(['inspect', copy]);
    expect(code).toBe(0);
    expect(stdout).toContain('graph.cpp: changed since it was built');
    const { code: refused, stderr } = await cli(['inspect', cwd]);
    expect(refused).toBe(1);
    expect(stderr).toMatch(/no manifest\.json here/);
  });
});

describe('another model', () => {
  const run = (path: string) => replay(artifact, '--model', path, '--tokens', tokens.join());

  test('is refused by its size', async () => {
    expect(await run(other)).toMatchObject({ code: 1, stdout: '' });
    expect((await run(other)).stderr).toMatch(/is not the file that this library was compiled from .* bytes, not /);
  });

  test('is refused when it was cut', async () => {
    const path = join(cwd, 'cut.gguf');
    cpSync(model, path);
    truncateSync(path, readFileSync(model).length - 1);
    expect(await run(path)).toMatchObject({ code: 1, stdout: '', stderr: expect.stringMatching(/bytes, not /) });
  });

  test('is refused by its header', async () => {
    const path = join(cwd, 'header.gguf');
    const bytes = readFileSync(model);
    bytes[1000]! ^= 1;
    writeFileSync(path, bytes);
    expect(await run(path)).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(/SHA-256 of its header/),
    });
  });

  test('is refused when it is not there', async () => {
    const exit = await run(join(cwd, 'nothing.gguf'));
    expect(exit).toMatchObject({ code: 1, stdout: '', stderr: expect.stringMatching(/nothing\.gguf: No such file/) });
  });
});

describe('the output folder', () => {
  const change = [model, ...host, '--no-build', '-o', 'copy', '--context', '64'];

  test('is replaced as a whole; what the user put there stays', async () => {
    writeFileSync(join(copy, 'notes.txt'), 'mine');
    expect(await cli(change, { cwd })).toMatchObject({ code: 0, stderr: '' });
    expect(readFileSync(join(copy, 'notes.txt'), 'utf8')).toBe('mine');
    expect(existsSync(join(copy, 'libllama-q8_0.so'))).toBe(false);
    expect((await cli(['verify', 'copy'], { cwd })).code).toBe(0);
    expect(readdirSync(cwd)).toEqual(['copy']);
  });

  test('is not replaced where it is not an artifact', async () => {
    mkdirSync(join(cwd, 'theirs'));
    writeFileSync(join(cwd, 'theirs/thesis.tex'), 'years of work');
    const { code, stderr } = await cli([...change, '-o', 'theirs'], { cwd });
    expect(code).toBe(1);
    expect(stderr).toMatch(/theirs exists and is not an artifact/);
    expect(folderContent(join(cwd, 'theirs')).size).toBe(1);
    expect(readdirSync(cwd).sort()).toEqual(['copy', 'theirs']);
  });

  test('cannot be a file', async () => {
    writeFileSync(join(cwd, 'file'), 'text');
    const { code, stderr } = await cli([...change, '-o', 'file'], { cwd });
    expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringMatching(/file .*not a folder/) });
    expect(readFileSync(join(cwd, 'file'), 'utf8')).toBe('text');
  });

  test('is not an artifact for having a plan.json, or a manifest of something else', async () => {
    const theirs = join(cwd, 'theirs');
    mkdirSync(theirs);
    for (const [name, text] of [
      ['plan.json', '{}'],
      ['manifest.json', '{"name": "app"}'],
    ] as const) {
      writeFileSync(join(theirs, name), text);
      const { code, stderr } = await cli([...change, '-o', 'theirs'], { cwd });
      expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringMatching(/is not an artifact/) });
    }
    expect([...folderContent(theirs).keys()]).toEqual(['manifest.json', 'plan.json']);
  });

  test('keeps libraries and builds of the user', async () => {
    writeFileSync(join(copy, 'libmine.so'), 'mine');
    mkdirSync(join(copy, 'build/out'), { recursive: true });
    expect(await cli(change, { cwd })).toMatchObject({ code: 0, stderr: '' });
    expect(readdirSync(copy)).toEqual(expect.arrayContaining(['build', 'libmine.so']));
  });

  test('is left as it was where a file of the user is in the way', async () => {
    writeFileSync(join(copy, 'code.S'), 'mine');
    const before = folderContent(copy);
    const { code, stderr } = await cli([model, '--target', 'cuda', '--no-build', '--quiet', '-o', 'copy'], { cwd });
    expect(code).toBe(1);
    expect(stderr).toMatch(/copy\/code\.S is not of the artifact there and would be overwritten; move it away/);
    expect(folderContent(copy)).toEqual(before);
    expect(readdirSync(cwd)).toEqual(['copy']);
  });

  test.each(['{', 'null', ''])('is made anew where its manifest is %j', async (manifest) => {
    writeFileSync(join(copy, 'manifest.json'), manifest);
    writeFileSync(join(copy, 'notes.txt'), 'mine');
    mkdirSync(join(copy, 'build'));
    expect(await cli(change, { cwd })).toMatchObject({ code: 0, stderr: '' });
    expect((await cli(['verify', 'copy'], { cwd })).code).toBe(0);
    expect(existsSync(join(copy, 'libllama-q8_0.so'))).toBe(false);
    expect(existsSync(join(copy, 'build'))).toBe(true);
    expect(readFileSync(join(copy, 'notes.txt'), 'utf8')).toBe('mine');
  });

  test('may be where somebody stands: its files are replaced', async () => {
    writeFileSync(join(copy, 'notes.txt'), 'mine');
    expect(await cli([...change, '-o', '.'], { cwd: copy })).toMatchObject({ code: 0, stderr: '' });
    expect(existsSync(join(copy, 'libllama-q8_0.so'))).toBe(false);
    expect(readdirSync(copy).filter((name) => name.startsWith('.'))).toEqual([]);
    expect(readFileSync(join(copy, 'notes.txt'), 'utf8')).toBe('mine');
    expect((await cli(['verify', '.'], { cwd: copy })).code).toBe(0);
  });

  test('may be a link, which stays one', async () => {
    symlinkSync('copy', join(cwd, 'link'));
    expect(await cli([...change, '-o', 'link'], { cwd })).toMatchObject({ code: 0, stderr: '' });
    expect(lstatSync(join(cwd, 'link')).isSymbolicLink()).toBe(true);
    expect((await cli(['verify', 'copy'], { cwd })).code).toBe(0);
    symlinkSync('nowhere', join(cwd, 'broken'));
    expect((await cli([...change, '-o', 'broken'], { cwd })).stderr).toMatch(/a link to what is not there/);
  });

  test('is built with a name that cmake would take for something else', async () => {
    expect(await cli([model, ...host, '-o', 'a;b'], { cwd })).toMatchObject({ code: 0 });
    expect((await cli(['verify', 'a;b'], { cwd })).code).toBe(0);
  });

  test('loses what compiles left there that were killed a day ago', async () => {
    const [old, young, saved] = ['.copy.building-old', '.copy.building-young', '.copy.building-x.old'].map((name) => {
      mkdirSync(join(cwd, name));
      return join(cwd, name);
    });
    for (const folder of [old!, saved!]) utimesSync(folder, 1, 1);
    expect((await cli(change, { cwd })).code).toBe(0);
    expect([old, young, saved].map((folder) => existsSync(folder!))).toEqual([false, true, true]);
  });

  test('may be there and empty', async () => {
    mkdirSync(join(cwd, 'empty'));
    expect((await cli([...change, '-o', 'empty'], { cwd })).code).toBe(0);
    expect(readdirSync(join(cwd, 'empty'))).toContain('manifest.json');
  });
});

describe('a build that does not end well leaves everything as it was', () => {
  const rebuild = [model, '--target', 'host', '-o', 'copy', '--context', '64'];

  function expectUntouched(): void {
    expect(readdirSync(cwd).filter((name) => name !== 'tools')).toEqual(['copy']);
    expect(folderContent(copy)).toEqual(made);
  }

  beforeEach(() => void mkdirSync(join(cwd, 'tools')));

  test('no compiler', async () => {
    const { code, stderr } = await cli(rebuild, { cwd, env: { ...process.env, CXX: '/bin/false' } });
    expect(code).toBe(1);
    expect(stderr).toMatch(/cmake.* failed.*\n.*CMake Error/);
    expectUntouched();
  });

  test('a compiler error is shown with its file', async () => {
    const { code, stderr } = await cli(rebuild, {
      cwd,
      env: { ...process.env, CXX: failingCompiler(join(cwd, 'tools')) },
    });
    expect(code).toBe(1);
    expect(stderr).toContain('kernels.cu:7:1: error: this one is meant');
    expectUntouched();
  });

  test.each([
    ['SIGINT to everyone, as from a terminal', 'SIGINT', true],
    ['SIGINT to the compiler', 'SIGINT', false],
    ['SIGTERM to the compiler', 'SIGTERM', false],
  ] as const)('%s', async (_, signal, group) => {
    const marker = join(cwd, 'tools/started');
    const env = { ...process.env, CXX: endlessCompiler(join(cwd, 'tools'), marker) };
    const stdio = ['ignore', 'ignore', 'pipe'] as const;
    const child = spawn(process.execPath, [CLI, ...rebuild], { cwd, env, detached: true, stdio: [...stdio] });
    const end = ended(child);
    let said = '';
    child.stderr!.on('data', (chunk) => {
      said += chunk;
    });
    await untilExists(marker);
    process.kill(group ? -child.pid! : child.pid!, signal);
    expect(await end).toBe(signal); // 130 and 143 to a shell
    await expect.poll(() => said).toMatch(/^realizar-compile: interrupted$|^interrupted$/m);
    expect(said).not.toMatch(/error|cmake/i);
    await expect.poll(() => runs(Number(readFileSync(marker, 'utf8')))).toBe(false);
    expectUntouched();
  });
});

const ended = (child: ChildProcess): Promise<number | string | null> =>
  new Promise((resolve) => void child.on('exit', (code, signal) => resolve(signal ?? code)));

/** Linux keeps the entry of a process that has ended until its parent looks. */
function runs(pid: number): boolean {
  const status = `/proc/${pid}/status`;
  return existsSync(status) && !/^State:\s+[ZX]/m.test(readFileSync(status, 'utf8'));
}
