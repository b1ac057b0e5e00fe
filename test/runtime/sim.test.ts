/** The host target's simulator and driver: builds test/runtime/sim with them, plainly and with sanitizers, and runs it. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, describe, expect, test } from 'vitest';
import { compileEach, PLAIN, SANITIZED } from '../support/cxx.js';

const run = promisify(execFile);
const root = join(import.meta.dirname, '..', '..');
const scratch = mkdtempSync(join(tmpdir(), 'realizar-sim-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

function sources(folder: string, pattern: RegExp): string[] {
  return readdirSync(join(root, folder))
    .filter((name) => pattern.test(name))
    .map((name) => join(root, folder, name));
}

const cases = sources('test/runtime/sim', /\.cpp$/);
const driver = [...sources('runtime/driver', /^(sim|host).*\.cpp$/), ...sources('runtime', /^(sampling|error)\.cpp$/)];

/** A program of test cases, and what it lists. */
async function build(
  name: string,
  flags: readonly string[],
  files: readonly string[],
  flagsOfCases = flags,
): Promise<{ program: string; names: string[] }> {
  const program = join(scratch, name);
  const objectOf = (source: string) => `${program}_${basename(source)}.o`;
  const [ofDriver, ofCases] = [true, false].map((is) => files.filter((file) => driver.includes(file) === is));
  const objects = await compileEach('g++', flags, ofDriver!, objectOf);
  objects.push(...(await compileEach('g++', flagsOfCases, ofCases!, objectOf)));
  await run('g++', [...flags, ...objects, '-o', program]);
  const { stdout } = await run(program);
  return { program, names: stdout.trim().split('\n') };
}

// Kernels in many shapes take longer to compile well than to run.
const plain = await build('plain', PLAIN, [...cases, ...driver], [...PLAIN, '-Og']);
const sanitized = await build('sanitized', SANITIZED, [...cases, ...driver]);
// The processor's own conversions, where it has them.
const native = await build('native', [...PLAIN, '-march=native'], sources('test/runtime/sim', /^(half|harness)\.cpp$/));

const endsTheProcess = /^unsafe_/;
const timeout = 300_000;

describe.each([
  { mode: 'plain', ...plain },
  { mode: 'with sanitizers', ...sanitized },
  { mode: 'for this processor', ...native },
])('$mode', ({ program, names }) => {
  test.each(names.filter((name) => !endsTheProcess.test(name)))(
    '%s',
    async (name) => {
      const { stderr } = await run(program, [name], { timeout });
      expect(stderr).toBe('');
    },
    timeout,
  );
});

describe('sanitizers see a kernel that writes past', () => {
  test.each([
    ['shared memory', 'unsafe_overruns_shared', /heap-buffer-overflow/],
    ['device memory', 'unsafe_overruns_global', /heap-buffer-overflow/],
    ['its own variables', 'unsafe_overruns_stack', /stack-buffer-overflow|insufficient space/],
  ])(
    '%s',
    async (_where, name, finding) => {
      await expect(run(sanitized.program, [name], { timeout })).rejects.toThrow(finding);
    },
    timeout,
  );
});
