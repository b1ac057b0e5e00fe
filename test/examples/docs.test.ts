/** The documentation names files that are there. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { PLAN_VERSION } from '../../compiler/plan/plan.js';
import { TUNING_VERSION } from '../../compiler/plan/tuning.js';
import { STATUS } from '../../runtime/addon/errors.js';
import { MANIFEST_VERSION } from '../../runtime/artifact_folder/manifest.js';
import { FILES } from '../../runtime/artifact_folder/names.js';
import { ROOT } from '../support/artifacts.js';

// Not those of docs/lab, which name what was there on their date.
const DOCS = readdirSync(join(ROOT, 'docs')).filter((name) => name.endsWith('.md'));
const PAGES = ['README.md', 'CONTRIBUTING.md', 'generated/README.md', ...DOCS.map((page) => `docs/${page}`)];
const FOLDERS = 'compiler|runtime|templates|test|docs|examples|generated';

const all = (text: string, pattern: RegExp): string[] => [...text.matchAll(pattern)].map((match) => match[1]!);

test.each(PAGES)('%s', (page) => {
  const text = readFileSync(join(ROOT, page), 'utf8');
  const links = all(text, /\]\((?!https?:)([^)#]+)/g).map((link) => join(dirname(page), link));
  // In backticks: a path from the root, without blanks or placeholders.
  const named = all(text, new RegExp(`\`((?:${FOLDERS})/[\\w./-]*)\``, 'g'));
  expect(links.length + named.length).toBeGreaterThan(0);
  expect([...links, ...named].filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
});

test('docs/api.md has every name of an error', () => {
  const api = readFileSync(join(ROOT, 'docs/api.md'), 'utf8');
  const header = readFileSync(join(ROOT, 'runtime/realizar.h'), 'utf8');
  const [, statuses] = /typedef enum realizar_status \{([^}]*)\} realizar_status;/.exec(header)!;
  const names = [...Object.keys(STATUS), ...all(statuses!, /\bREALIZAR_(\w+) = /g)].filter((name) => name !== 'OK');
  expect(names.length).toBeGreaterThan(15);
  expect(names.filter((name) => !api.includes(`\`${name}\``))).toEqual([]);
});

const textOf = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

test.each([
  ['plan.json', 'docs/plan.md', /`version` is (\d+)/, PLAN_VERSION],
  ['the tuning file', 'docs/plan.md', /tuning file has `version` \((\d+)\)/, TUNING_VERSION],
  ['manifest.json', 'docs/artifact.md', /`"realizar-artifact"`, (\d+)\./, MANIFEST_VERSION],
  ['the C ABI', 'docs/c-abi.md', /`REALIZAR_ABI_VERSION` of the header you compiled with: (\d+)/, abiVersion()],
])('the version of %s is the one in %s', (_, page, pattern, version) => {
  expect(pattern.exec(textOf(page))?.[1]).toBe(String(version));
});

function abiVersion(): string | undefined {
  return /#define REALIZAR_ABI_VERSION (\d+)/.exec(textOf('runtime/realizar.h'))?.[1];
}

test('options that pages name are those of a program here', () => {
  const option = /(?<![\w-])(--[a-z][a-z0-9-]+)/g;
  const sources = ['compiler', 'runtime', 'test/gpu'].flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.(ts|cpp|py|sh)$/.test(name))
      .map((name) => join(folder, name)),
  );
  const known = new Set([...sources.flatMap((path) => all(textOf(path), option)), '--engine-strict']); // npm's
  expect(known.size).toBeGreaterThan(80);
  for (const page of PAGES)
    expect([page, all(textOf(page), option).filter((name) => !known.has(name))]).toEqual([page, []]);
});

test("docs/artifact.md lists an artifact's files, and README shows those of a build", () => {
  const [, table] = /\| file \| what \|.*\n([\s\S]*?)\n\n/.exec(textOf('docs/artifact.md'))!;
  const listed = table!.split('\n').flatMap((row) => all(row.split('|')[1]!, /`([^`]+)`/g));
  const { build: _, ...files } = FILES;
  expect(listed.sort()).toEqual([...Object.values(files), 'index.mjs', 'index.d.mts', 'lib<name>.so'].sort());
  const [, shown] = /\$ ls generated\/\S+\n([\s\S]*?)\n\n/.exec(textOf('README.md'))!;
  const { signature: __, ...built } = files;
  const names = [...Object.values(built), 'index.mjs', 'index.d.mts', 'libstoryteller-q8_0.so'];
  expect(shown!.trim().split(/\s+/).sort()).toEqual(names.sort());
});
