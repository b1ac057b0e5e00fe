/** Compiles with an empty cache, a filled one, and none that can be written: the same bytes each time. */
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { cli, folderContent } from '../support/artifacts.js';
import { emptyFolder } from '../support/folders.js';
import { readGolden } from '../support/goldens.js';
import { temporaryFolder } from '../support/tiny_models.js';

const { model } = readGolden('llama-q8_0');
const cwd = emptyFolder(temporaryFolder);
const REALIZAR_CACHE_DIR = join(cwd, 'cache');

async function compiled(output: string, cache: string, ...args: string[]) {
  const env = { ...process.env, REALIZAR_CACHE_DIR: cache };
  const { code, stderr } = await cli([model, '--target', 'host', '-o', output, ...args], { cwd, env });
  return { code, stderr, content: folderContent(join(cwd, output)) };
}

const compiledNow = { code: 0, stderr: expect.stringContaining('runtime compiled\n') };

test('the runtime is compiled once, and the artifact does not show it', async () => {
  const [first, none] = await Promise.all([
    compiled('first', REALIZAR_CACHE_DIR),
    compiled('none', join(cwd, 'unused'), '--no-cache'),
  ]);
  expect(first).toMatchObject(compiledNow);
  expect(none).toMatchObject(compiledNow);
  expect(readdirSync(cwd)).not.toContain('unused');
  expect(readdirSync(REALIZAR_CACHE_DIR)).toHaveLength(1);
  const again = await compiled('again', REALIZAR_CACHE_DIR);
  expect(again).toMatchObject({ code: 0, stderr: expect.stringContaining('runtime as compiled before') });
  expect(again.content).toEqual(first.content);
  expect(again.content).toEqual(none.content);
});

test('a cache that cannot be written is said, and harms nothing', async () => {
  writeFileSync(join(cwd, 'file'), 'not a folder');
  const unkept = await compiled('unkept', join(cwd, 'file'));
  expect(unkept).toMatchObject({
    code: 0,
    stderr: expect.stringMatching(
      /runtime compiled, and not kept: the cache folder .*file cannot be written .*set REALIZAR_CACHE_DIR/,
    ),
  });
});
