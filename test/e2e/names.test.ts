/** File names that try to be code, options or paths. */
import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { cli, ROOT, replay, runProgram } from '../support/artifacts.js';
import { emptyFolder } from '../support/folders.js';
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

/** What a C++ compiler reads from model.h, and whether it takes graph.cpp. */
async function nameInSource(folder: string, cwd: string): Promise<string> {
  const include = ['-std=c++20', `-I${folder}`, `-I${join(ROOT, 'runtime')}`];
  const source = '#include <cstdio>\n#include "model.h"\nint main() { fputs(realizar::model::name, stdout); }\n';
  writeFileSync(join(cwd, 'main.cpp'), source);
  const strict = ['-Wall', '-Wextra', '-Werror', '-trigraphs'];
  const built = await runProgram('c++', [...include, ...strict, join(cwd, 'main.cpp'), '-o', join(cwd, 'main')]);
  expect(built).toMatchObject({ code: 0, stderr: '' });
  const checked = await runProgram('c++', [...include, '-Werror', '-fsyntax-only', join(folder, 'graph.cpp')]);
  expect(checked).toMatchObject({ code: 0, stderr: '' });
  return (await runProgram(join(cwd, 'main'), [])).stdout;
}

describe.each(NAMES)('%j', (name) => {
  test('is text and nothing else', async () => {
    const { cwd, stem } = named(name);
    const { code } = await cli(['--target', 'cuda', '--no-build', '--quiet', '--', name], { cwd });
    expect(code).toBe(0);
    expect(readdirSync(cwd).sort()).toEqual([name, 'generated'].sort());

    const folders = readdirSync(join(cwd, 'generated'));
    expect(folders).toEqual([expect.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,88}$/)]);
    const folder = join(cwd, 'generated', folders[0]!);
    for (const file of EMITTED)
      expect(readFileSync(join(folder, file), 'utf8'), file).toMatch(file === 'plan.json' ? /./ : /^[\n\x20-\x7e]*$/);
    expect(JSON.parse(readFileSync(join(folder, 'plan.json'), 'utf8')).model.name).toBe(stem);
    expect(JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')).name).toBe(stem);
    expect(await nameInSource(folder, cwd)).toBe(stem);
    expect(await runProgram(process.execPath, ['--check', join(folder, 'index.mjs')])).toMatchObject({ code: 0 });
    expect((await cli(['verify', folder, '--model', join(cwd, name)])).code).toBe(0);
  });
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
  expect((await cli([`${stem}.gguf`, '--target', 'host', '--no-build', '--quiet'], { cwd })).code).toBe(0);
  const source = ['-S', join(cwd, 'generated', stem), '-B', join(cwd, 'build')];
  const configured = await runProgram('cmake', [...source, `-DREALIZAR_RUNTIME=${join(ROOT, 'runtime')}`]);
  expect(configured).toMatchObject({ code: 0, stderr: '' });
});

test('a name that looks like an option is one, unless told otherwise', async () => {
  const { cwd } = named('-rf.gguf');
  expect((await cli(['-rf.gguf', '--no-build'], { cwd })).code).toBe(2);
  expect((await cli(['./-rf.gguf', '--target', 'cuda', '--no-build', '--quiet'], { cwd })).code).toBe(0);
  // The dash is lost, so that it is told from a model called rf.
  expect(readdirSync(join(cwd, 'generated'))).toEqual([expect.stringMatching(/^rf-[0-9a-f]{8}$/)]);
});
