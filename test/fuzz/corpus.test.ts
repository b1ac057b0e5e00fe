/**
 * Every target of targets.mjs on its stored corpus, and then on mutations of it for a moment: the same seed each time. `make fuzz` has other
 * seeds and more time. An input that fails is printed with its place; it belongs into the corpus.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { ROOT } from '../support/artifacts.js';

const FUZZ = join(ROOT, 'test/fuzz/fuzz.mjs');
const work = mkdtempSync(join(tmpdir(), 'realizar-fuzz-'));
afterAll(() => rmSync(work, { recursive: true, force: true }));

test.each(readdirSync(join(ROOT, 'test/fuzz/corpus')))('%s', (target) => {
  const fuzz = [FUZZ, target, '--seconds', '1', '--seed', '1', '--work', work];
  const { stdout, stderr, status } = spawnSync(process.execPath, fuzz, { encoding: 'utf8' });
  expect(`${stdout}${stderr}`).toMatch(new RegExp(`^${target}: \\d+ inputs`, 'm'));
  expect(status, stdout).toBe(0);
});
