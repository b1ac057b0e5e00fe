/** generated/storyteller is what this compiler emits, so that a review sees every change of it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { compile } from '../../compiler/compile.js';
import { FILES } from '../../runtime/artifact_folder/names.js';
import { folderContent, ROOT } from '../support/artifacts.js';
import { emptyFolder } from '../support/folders.js';
import { temporaryFolder } from '../support/tiny_models.js';

test('the committed source of the bundled model is up to date', async () => {
  const folder = join(emptyFolder(temporaryFolder), 'storyteller');
  await compile(join(ROOT, 'examples/storyteller-q8_0.gguf'), {
    target: 'cuda',
    rows: [8, 512],
    build: false,
    output: folder,
  });
  const committed = join(ROOT, 'generated/storyteller');
  const ofThisMachine: readonly string[] = [FILES.manifest, FILES.modelPath];
  const names = [...folderContent(folder).keys()].filter((name) => !ofThisMachine.includes(name));
  const help = 'generated/storyteller is not what the compiler emits: run `make generated` and read the difference';
  expect([...folderContent(committed).keys()], help).toEqual(names);
  for (const name of names)
    expect(
      readFileSync(join(committed, name), 'utf8') === readFileSync(join(folder, name), 'utf8'),
      `${name}: ${help}`,
    ).toBe(true);
});
