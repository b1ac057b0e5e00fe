/**
 * The engine under ThreadSanitizer, all of it with the simulator of the device: test/e2e/engine.cpp, which says what holds, on
 * the tiny model, whose sequences take turns.
 */
import { rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { compileEach, THREAD_SANITIZED } from '../support/cxx.js';
import { dir, here, hostSources, run, runtimeSources, start, tinyArtifact, writeModel } from './tiny.js';

const model = join(dir, 'tiny.gguf');

beforeAll(async () => {
  writeModel(model);
  const tests = [tinyArtifact, join(here, 'tiny_kernels.cpp'), join(here, '../e2e/engine.cpp')];
  const sources = [...runtimeSources, ...hostSources, ...tests];
  // Of two folders: both have an engine.cpp.
  const objectOf = (source: string) => join(dir, `${sources.indexOf(source)}_${basename(source)}.o`);
  const objects = await compileEach('g++', THREAD_SANITIZED, sources, objectOf);
  await run('g++', ['-fsanitize=thread', ...objects, '-o', join(dir, 'engine'), '-pthread', '-ldl']);
}, 600_000);
afterAll(() => rmSync(dir, { recursive: true }));

test.each([
  ['threads that submit, cancel, wait and read statistics get what each sequence gets alone', 'threads'],
  ['an engine can be closed while threads submit to it and wait for it', 'close'],
])(
  '%s',
  async (_what, which) => {
    expect(await start('engine', model, which)).toEqual({ code: 0, stdout: '', stderr: '' });
  },
  300_000,
);
