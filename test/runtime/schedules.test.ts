/** Random schedules of the engine, on a model of its own and the host driver: schedules.cpp says what holds. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { compile, compileHost, compileRuntime, dir, here, link, sources, start } from './tiny.js';

beforeAll(async () => {
  const own = ['faulty_driver.cpp', 'tiny_model.cpp'].map((name) => join(here, name));
  const parts = [await compileRuntime(), await compileHost()];
  const tests = await compile([...sources(join(here, 'schedules'), /\.cpp$/), ...own]);
  await link('schedules', [...parts.flat(), ...tests]);
}, 600_000);
afterAll(() => rmSync(dir, { recursive: true }));

it.each([0, 100, 200])('a hundred schedules from %i on: each sequence gets what it gets alone', async (first) => {
  const { code, stdout, stderr } = await start('schedules', `${first}`, '100');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  // All that may happen has.
  expect(stdout).toMatch(/^(?:[a-z ]+ [1-9]\d*(?:, |\n))+$/);
});
