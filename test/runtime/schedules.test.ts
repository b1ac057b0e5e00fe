/** Random schedules of the engine, on a model of its own and the host driver: schedules.cpp says what holds. */
import { rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { compileEach, PLAIN, SANITIZED, SANITIZERS } from '../support/cxx.js';
import { dir, here, hostSources, run, runtimeSources, sources, start } from './tiny.js';

const own = ['faulty_driver.cpp', 'tiny_model.cpp'].map((name) => join(here, name));
const all = [...runtimeSources, ...hostSources, ...sources(join(here, 'schedules'), /\.cpp$/), ...own];

async function build(program: string, flags: readonly string[], linking: readonly string[]): Promise<void> {
  const objectOf = (source: string) => join(dir, `${program}_${all.indexOf(source)}_${basename(source)}.o`);
  const objects = await compileEach('g++', flags, all, objectOf);
  await run('g++', [...linking, ...objects, '-o', join(dir, program), '-pthread', '-ldl']);
}

beforeAll(async () => {
  await build('plain', PLAIN, []);
  await build('sanitized', SANITIZED, SANITIZERS);
}, 900_000);
afterAll(() => rmSync(dir, { recursive: true }));

it('in three hundred schedules each sequence gets what it gets alone', async () => {
  const { code, stdout, stderr } = await start('plain', '0', '300');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  // All that may happen has.
  expect(stdout).toMatch(/^(?:[a-z ]+ [1-9]\d*(?:, |\n))+$/);
});

it('the sanitizers see nothing in twenty more', async () => {
  expect(await start('sanitized', '300', '20')).toMatchObject({ code: 0, stderr: '' });
});
