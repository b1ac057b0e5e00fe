/** The runtime's tests in C++, each as a test of its own. */
import { readFileSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  compile,
  compileHost,
  compileKernels,
  compileRuntime,
  dir,
  here,
  link,
  sources,
  start,
  tinyArtifact,
} from './tiny.js';

const testSources = sources(here, /(_test|^main|^faulty_driver|^fail_each_call)\.cpp$/);

beforeAll(async () => {
  const parts = [await compileRuntime(), await compileKernels(), await compileHost()];
  const tests = await compile([tinyArtifact, ...testSources, join(here, 'tiny_model.cpp')]);
  await link('runtime_test', [...parts.flat(), ...tests]);
}, 600_000);
afterAll(() => rmSync(dir, { recursive: true }));

describe.each(testSources.filter((file) => file.endsWith('_test.cpp')).map((file) => basename(file)))('%s', (file) => {
  const names = [...readFileSync(join(here, file), 'utf8').matchAll(/^TEST\((\w+)\)/gm)].map((match) => match[1]!);
  it.each(names)(
    '%s',
    async (name) => {
      expect(await start('runtime_test', name)).toEqual({ code: 0, stdout: '', stderr: '' });
    },
    300_000,
  );
});
