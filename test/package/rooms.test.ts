/** Which folder of the source may import which: a room those before it, and no file itself in a circle, types included. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { ROOT } from '../support/artifacts.js';

// In this order: a room imports from those before it. So nothing in runtime/ imports from compiler/.
const ROOMS = [
  'runtime/common',
  'runtime/toolchain',
  'runtime/files',
  'runtime/artifact_folder',
  'runtime/addon',
  'runtime/text',
  'runtime/format',
  'runtime/llm',
  'runtime',
  'runtime/serve',
  'runtime/run',
  'compiler/arithmetic.ts',
  'compiler/target',
  'compiler/model',
  'compiler/ir',
  'compiler/kernels',
  'compiler/graph',
  'compiler/passes',
  'compiler/plan',
  'compiler/emit',
  'compiler',
];
// The commands: those above call compile.ts, and command.ts calls them.
const PARTS: Readonly<Record<string, string>> = { 'compiler/tune': 'compiler' };

const FILES = ['compiler', 'runtime'].flatMap((folder) =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(folder, name)),
);

/** What a file of the source imports of it, as a path from the root; `import type` and `import()` too. */
function importsOf(file: string): string[] {
  const named = readFileSync(join(ROOT, file), 'utf8').matchAll(/\b(?:from|import)\s*\(?\s*'(\.[^']+)\.js'/g);
  return [...named].map(([, path]) => join(dirname(file), `${path}.ts`));
}

const IMPORTS = new Map(FILES.map((file) => [file, importsOf(file)]));

function roomOf(file: string): string {
  if (ROOMS.includes(file)) return file;
  const folder = file.split('/').slice(0, -1).slice(0, 2).join('/');
  return PARTS[folder] ?? folder;
}

test('every import is of a file that is there', () => {
  const missing = [...IMPORTS].flatMap(([file, imported]) =>
    imported.filter((path) => !IMPORTS.has(path)).map((path) => `${file}: ${path}`),
  );
  expect(missing).toEqual([]);
  expect([...IMPORTS.values()].flat().length).toBeGreaterThan(1000);
});

test('every file is in a room of the list', () => {
  expect(FILES.filter((file) => !ROOMS.includes(roomOf(file)))).toEqual([]);
  expect(ROOMS.filter((room) => !FILES.some((file) => roomOf(file) === room))).toEqual([]);
});

test('a room imports from those before it in the list', () => {
  const place = (file: string) => ROOMS.indexOf(roomOf(file));
  const against = [...IMPORTS].flatMap(([file, imported]) =>
    imported.filter((path) => place(path) > place(file)).map((path) => `${file} imports ${path}`),
  );
  expect(against).toEqual([]);
});

test('no file imports itself, over whichever others, not even types', () => {
  // Files whose imports are all gone leave, until none does: what is left is in a circle, or imports from one.
  const left = new Map(IMPORTS);
  const isFree = (imported: readonly string[]) => imported.every((path) => !left.has(path));
  for (let free: string[] = ['']; free.length > 0; ) {
    free = [...left].filter(([, imported]) => isFree(imported)).map(([file]) => file);
    for (const file of free) left.delete(file);
  }
  expect([...left.keys()]).toEqual([]);
});
