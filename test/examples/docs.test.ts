/** The documentation names files that are there. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { STATUS } from '../../runtime/addon/errors.js';
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
