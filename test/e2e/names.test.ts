/** File names that try to be code, options or paths. */
import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { cli, ROOT, replay, runProgram } from '../support/artifacts.js';
import { emptyFolder } from '../support/folders.js';
import { inProcess } from '../support/in_process.js';
import { temporaryFolder, tinyModel, writeModel } from '../support/tiny_models.js';

const model = writeModel(tinyModel());
const EMITTED = [
  'CMakeLists.txt',
  'code.S',
  'graph.cpp',
  'kernels.cu',
  'model.h',
  'index.mjs',
  'index.d.mts',
  'plan.json',
];

const NAMES = [
  'x"); system("id"); .gguf',
  '$(touch pwned)`touch pwned`.gguf',
  '\x24{CMAKE_COMMAND};touch pwned.gguf',
  '-rf.gguf',
  '--help.gguf',
  '..gguf',
  '...gguf',
  '.gguf',
  'trailing backslash\\.gguf',
  '*\\.gguf',
  '??=??(trigraphs.gguf',
  'two\nlines.gguf',
  '%s%n.gguf',
  '{{name}} {{{title}}}.gguf',
  '__proto__.gguf',
  'constructor.gguf',
  'class.gguf',
  'größe – 模型.gguf',
  `${'long'.repeat(60)}.gguf`,
  'no extension',
];

/** The model in a folder of its own, under another name. */
function named(name: string): { cwd: string; stem: string } {
  const cwd = emptyFolder(temporaryFolder);
  cpSync(model, join(cwd, name));
  return { cwd, stem: name.endsWith('.gguf') ? basename(name, '.gguf') : name };
}

const emitted = new Map<string, { stem: string; folder: string }>();
let scratch: string;
beforeAll(() => {
  scratch = emptyFolder(temporaryFolder);
});

describe.each(NAMES)('%j', (name) => {
  test('is text and nothing else', async () => {
    const { cwd, stem } = named(name);
    const args = ['--target', 'cuda', '--no-build', '--quiet', '--', name];
    expect(await inProcess('realizar-compile', args, cwd)).toMatchObject({ code: 0 });
    expect(readdirSync(cwd).sort()).toEqual([name, 'generated'].sort());

    const folders = readdirSync(join(cwd, 'generated'));
    expect(folders).toEqual([expect.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,88}$/)]);
    const folder = join(cwd, 'generated', folders[0]!);
    for (const file of EMITTED)
      expect(readFileSync(join(folder, file), 'utf8'), file).toMatch(file === 'plan.json' ? /./ : /^[\n\x20-\x7e]*$/);
    expect(JSON.parse(readFileSync(join(folder, 'plan.json'), 'utf8')).model.name).toBe(stem);
    expect(JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')).name).toBe(stem);
    const verified = await inProcess('realizar-compile', ['verify', folder, '--model', join(cwd, name)], cwd);
    expect(verified).toMatchObject({ code: 0 });
    emitted.set(name, { stem, folder });
  });
});

// All names in one program: a compiler takes longer to start than to read one of them.
test('a C++ compiler reads the names from model.h', async () => {
  const all = [...emitted.values()];
  const includes = all.map(({ folder }, i) => `namespace m${i} {\n#include "${folder}/model.h"\n}`);
  const prints = all.map(
    (_, i) => `  fwrite(m${i}::realizar::model::name, 1, sizeof m${i}::realizar::model::name, stdout);`,
  );
  const source = ['#include <cstdint>', '#include <cstdio>', ...includes, 'int main() {', ...prints, '}', ''].join(
    '\n',
  );
  writeFileSync(join(scratch, 'main.cpp'), source);
  const strict = ['-std=c++20', '-Wall', '-Wextra', '-Werror', '-trigraphs'];
  const built = await runProgram('c++', [...strict, join(scratch, 'main.cpp'), '-o', join(scratch, 'main')]);
  expect(built).toMatchObject({ code: 0, stderr: '' });
  const { stdout } = await runProgram(join(scratch, 'main'), []);
  expect(stdout).toBe(all.map(({ stem }) => `${stem}\0`).join(''));
  expect(all).toHaveLength(NAMES.length);
});

test('and takes each graph.cpp', async () => {
  const sources = [...emitted.values()].map(({ folder }) => join(folder, 'graph.cpp'));
  const flags = ['-std=c++20', `-I${join(ROOT, 'runtime')}`, '-Werror', '-fsyntax-only'];
  expect(await runProgram('c++', [...flags, ...sources])).toEqual({ code: 0, stdout: '', stderr: '' });
});

test('Node takes each index.mjs', async () => {
  const modules = [...emitted.values()].map(({ folder }) => join(folder, 'index.mjs'));
  const parse = `for (const path of process.argv.slice(1))
    new (require('node:vm').SourceTextModule)(require('node:fs').readFileSync(path, 'utf8'), { identifier: path });`;
  const args = ['--experimental-vm-modules', '--no-warnings', '-e', parse, ...modules];
  expect(await runProgram(process.execPath, args)).toEqual({ code: 0, stdout: '', stderr: '' });
});

test('a library builds and runs under such a name', async () => {
  const name = '$(touch pwned) "); system("id"); `touch pwned`*\\.gguf';
  const { cwd, stem } = named(name);
  expect(await cli(['--target', 'host', '--quiet', '--', name], { cwd })).toEqual({ code: 0, stdout: '', stderr: '' });
  expect(readdirSync(cwd).sort()).toEqual([name, 'generated'].sort());
  const folder = join(cwd, 'generated', readdirSync(join(cwd, 'generated'))[0]!);
  const bench = ['--model', join(cwd, name), '--bench', '--json', '--steps', '1', '--repeat', '1'];
  const { code, stdout } = await replay(folder, ...bench);
  expect(code).toBe(0);
  expect(JSON.parse(stdout).name).toBe(stem);
});

test.each(['replay', 'all', 'install', 'help', 'model', 'm'])('a build takes a model called %s', async (stem) => {
  const { cwd } = named(`${stem}.gguf`);
  const args = [`${stem}.gguf`, '--target', 'host', '--no-build', '--quiet'];
  expect(await inProcess('realizar-compile', args, cwd)).toMatchObject({ code: 0 });
  const source = ['-S', join(cwd, 'generated', stem), '-B', join(cwd, 'build')];
  const configured = await runProgram('cmake', [...source, `-DREALIZAR_RUNTIME=${join(ROOT, 'runtime')}`]);
  expect(configured).toMatchObject({ code: 0, stderr: '' });
});

test('a name that looks like an option is one, unless told otherwise', async () => {
  const { cwd } = named('-rf.gguf');
  expect(await inProcess('realizar-compile', ['-rf.gguf', '--no-build'], cwd)).toMatchObject({ code: 2 });
  const args = ['./-rf.gguf', '--target', 'cuda', '--no-build', '--quiet'];
  expect(await inProcess('realizar-compile', args, cwd)).toMatchObject({ code: 0 });
  // The dash is lost, so that it is told from a model called rf.
  expect(readdirSync(join(cwd, 'generated'))).toEqual([expect.stringMatching(/^rf-[0-9a-f]{8}$/)]);
});
