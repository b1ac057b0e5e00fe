/** docs/api-reference.md is what the doc comments say, and every exported thing has one (typedoc.json: a warning is an error). */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
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
