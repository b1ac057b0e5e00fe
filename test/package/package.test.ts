/** `npm pack`: the package works outside this repository, from npx and from TypeScript, and installs without a download. */
import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ROOT, runProgram } from '../support/artifacts.js';
import { install, npx, pack } from './consumer.js';

const scratch = mkdtempSync(join(tmpdir(), 'realizar-package-'));
// As a route of a web framework, and more: characters that shells, make, Ninja and CMake mean something by.
const ODD = "[id] (a;b)#%&$x'é模*?,=@~";
const folder = join(scratch, ODD);
const cache = join(scratch, `cache ${ODD}`);
const env = { ...process.env, REALIZAR_CACHE_DIR: cache, TMPDIR: join(scratch, 'tmp folder é') };

let home: string;
beforeAll(() => {
  mkdirSync(env.TMPDIR);
  const plain = join(scratch, 'app');
  install(pack(scratch), plain);
  renameSync(plain, folder);
  home = join(folder, 'node_modules/realizar-compile');
  copyFileSync(join(ROOT, 'examples/storyteller-q8_0.gguf'), join(folder, 'storyteller.gguf'));
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

test('what is in it', () => {
  const names = readdirSync(home, { recursive: true, encoding: 'utf8' });
  for (const needed of ['README.md', 'LICENSE', 'docs/run.md', 'templates/graph.cpp.hbs', 'runtime/kernels/device.h'])
    expect(names).toContain(needed);
  const own = names.filter((name) => !name.startsWith('node_modules'));
  expect(own.filter((name) => /\.gguf$|^test|^build|\.test\.|(?<!\.d)\.ts$/.test(name))).toEqual([]);
});

interface PackageJson {
  readonly name: string;
  readonly scripts?: Record<string, string>;
  readonly engines?: { readonly node?: string };
}

/** The package and all that it brings. */
function installed(): PackageJson[] {
  const names = readdirSync(join(folder, 'node_modules'), { recursive: true, encoding: 'utf8' });
  const own = names.filter((name) => /(^|node_modules\/)(@[^/]+\/)?[^/@]+\/package\.json$/.test(name));
  return own.map((name) => JSON.parse(readFileSync(join(folder, 'node_modules', name), 'utf8')));
}

test('installing it runs no script', () => {
  const hooks = installed().flatMap(({ name, scripts = {} }) =>
    ['preinstall', 'install', 'postinstall'].filter((hook) => hook in scripts).map((hook) => `${name} ${hook}`),
  );
  expect(hooks).toEqual([]);
  expect(readdirSync(home)).not.toContain('binding.gyp'); // npm would build it
});

test('each package that it brings runs on the oldest Node that is promised, and is brought by it', () => {
  const { satisfies } = createRequire(join(home, 'package.json'))('semver');
  const packages = installed();
  expect(packages.map(({ name }) => name)).toEqual(expect.arrayContaining(['realizar-compile', 'fastify', 'cookie']));
  const lock = JSON.parse(readFileSync(join(folder, 'package-lock.json'), 'utf8'));
  for (const [path, { inBundle }] of Object.entries<{ inBundle?: boolean }>(lock.packages))
    if (path !== '' && path !== 'node_modules/realizar-compile') expect(inBundle, path).toBe(true);
  for (const { name, engines } of packages)
    for (const version of ['20.17.0', '22.9.0', '24.0.0'])
      expect(satisfies(version, engines?.node ?? '*'), `${name} on ${version}`).toBe(true);
});

test('its types resolve under nodenext, with all of them checked', async () => {
  const source = `
    import { loadModel, type LanguageModel, openModel, type Piece, RealizarError } from 'realizar-compile';
    const model: LanguageModel = await loadModel('generated/storyteller', { context: 100 });
    for await (const piece of model.generate('Once', { maxTokens: 3, stop: ['.'] })) {
      const { text, token }: Piece = piece;
      const wrong: number = text; // error
      console.log(text, token, wrong);
    }
    await model.close();
    const opened = await openModel('generated/storyteller', { model: new URL('file:///model.gguf') });
    console.log(opened.info.contextLength, RealizarError.name);
  `;
  writeFileSync(join(folder, 'main.ts'), source);
  const options = ['--module', 'nodenext', '--moduleResolution', 'nodenext', '--target', 'es2022', '--strict'];
  const types = ['--types', 'node', '--typeRoots', join(ROOT, 'node_modules/@types')];
  const tsc = [join(ROOT, 'node_modules/typescript/bin/tsc'), '--noEmit', ...options, ...types, 'main.ts'];
  const { stdout } = await runProgram(process.execPath, tsc, { cwd: folder });
  expect(stdout.trimEnd().split('\n')).toEqual([expect.stringMatching(/^main\.ts\(6,13\): error TS2322/)]);
});

test('npx compiles a model and runs it; the addon is built once, at its first use', async () => {
  const compiled = await npx(folder, ['realizar-compile', 'storyteller.gguf', '--target', 'host'], env);
  expect(compiled).toMatchObject({ code: 0, stdout: '' });
  expect(compiled.stderr).toContain('run it: npx realizar-run generated/storyteller -p "');
  const write = (...more: string[]) =>
    npx(folder, ['realizar-run', 'generated/storyteller', '-m', 'storyteller.gguf', '-p', 'Once upon', ...more], env);
  const first = await write('-n', '6');
  expect(first).toEqual({
    code: 0,
    stdout: expect.stringMatching(/^ a time/),
    stderr: expect.stringMatching(/^building the Node addon.*\n$/),
  });
  expect(await write('-n', '6')).toEqual({ code: 0, stdout: first.stdout, stderr: '' });
  expect(readdirSync(home)).not.toContain('build');
});

test('where the addon cannot be built, the message names what is missing', async () => {
  const bin = join(scratch, 'bin');
  execFileSync('mkdir', ['-p', bin]);
  const bare = { ...process.env, PATH: bin, REALIZAR_CACHE_DIR: join(scratch, 'empty') };
  const cli = join(home, 'dist/runtime/run/cli.js');
  const args = [cli, 'generated/storyteller', '-m', 'storyteller.gguf', '-p', 'Once'];
  const { code, stdout, stderr } = await runProgram(process.execPath, args, { cwd: folder, env: bare });
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  expect(stderr).toMatch(/addon has to be built.*cmake .* and a C\+\+20 compiler .* not found: install it/);
});
