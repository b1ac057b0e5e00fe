/** The demo's story is the one that the float64 reference tells. */
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { modelSpec } from '../../compiler/model/load.js';
import { openModel } from '../../runtime/addon/index.js';
import { readGguf } from '../../runtime/files/gguf.js';
import { Tokenizer } from '../../runtime/text/tokenizer.js';
import { buildAddon } from '../addon/support.js';
import { referenceLogits } from '../oracle/reference.js';
import { greedyTokens, hostArtifact, ROOT, runProgram } from '../support/artifacts.js';

const path = join(ROOT, 'examples/storyteller-q8_0.gguf');
const PROMPT = 'Once upon a time';
const file = readGguf(path);
const tokenizer = new Tokenizer(file);

let folder: string;
beforeAll(async () => {
  buildAddon();
  folder = await hostArtifact('story', path);
});

/** What follows the prompt, up to the token that ends it or as many as the demo tells. */
async function continuation(prompt: readonly number[]): Promise<number[]> {
  const model = await openModel(folder, { model: path });
  const session = await model.createSession();
  for (const token of prompt) await session.step(token, { mode: 'eager' });
  const tokens = [...(await session.runGreedy(200, { mode: 'eager' }))];
  await model.close();
  const end = tokens.findIndex((token) => tokenizer.isEnd(token));
  return end < 0 ? tokens : tokens.slice(0, end);
}

test('it is greedy, it ends, and the last line says how it was made', async () => {
  const { code, stdout, stderr } = await runProgram(process.execPath, [
    join(ROOT, 'dist/examples/story.js'),
    folder,
    path,
  ]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const lines = stdout.trimEnd().split('\n');
  expect(lines.pop()).toMatch(/^host .*, 23 nodes in the graph, \d+(\.\d+)? tokens(\/s| per second)$/);
  const text = lines.join('\n');
  expect(text).toMatch(/^Once upon a time\S* [\s\S]{50}/);

  // Each token of the story is the reference's choice after those before it: so is the whole story, by induction.
  const prompt = tokenizer.encode(PROMPT);
  const story = await continuation(prompt);
  const spec = modelSpec(file);
  const chosen = greedyTokens(referenceLogits(spec, [...prompt, ...story]), spec.vocabSize).slice(prompt.length - 1);
  expect(chosen.slice(0, story.length)).toEqual(story);
  if (story.length < 200) expect(tokenizer.isEnd(chosen.at(-1)!)).toBe(true);
  expect(text).toBe(PROMPT + tokenizer.decode(story, { skipControl: true }));
});
