/**
 * What make docs writes is current: docs/api-reference.md, where every exported thing has a doc comment (typedoc.json: a
 * warning is an error), and the diagrams.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { ROOT, runProgram } from '../support/artifacts.js';

const scratch = mkdtempSync(join(tmpdir(), 'realizar-docs-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

test('the API reference is current: else run make docs', async () => {
  const typedoc = join(ROOT, 'node_modules/typedoc/bin/typedoc');
  const { code, stdout, stderr } = await runProgram(process.execPath, [typedoc, '--out', scratch], { cwd: ROOT });
  expect({ code, output: code === 0 ? '' : stdout + stderr }).toEqual({ code: 0, output: '' });
  expect(readFileSync(join(ROOT, 'docs/api-reference.md'), 'utf8')).toBe(
    readFileSync(join(scratch, 'api-reference.md'), 'utf8'),
  );
});

test('the diagrams are current: else run make docs', async () => {
  const drawn = join(scratch, 'diagrams');
  mkdirSync(drawn);
  const { code, stderr } = await runProgram(process.execPath, ['tools/draw_diagrams.mjs', drawn], { cwd: ROOT });
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const diagrams = readdirSync(join(ROOT, 'docs/diagrams')).filter((name) => name.endsWith('.svg'));
  expect(diagrams).toEqual(readdirSync(drawn));
  for (const name of diagrams)
    expect(readFileSync(join(ROOT, 'docs/diagrams', name), 'utf8'), name).toBe(readFileSync(join(drawn, name), 'utf8'));
});
