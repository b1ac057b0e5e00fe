/** A folder of two shards with a tokenizer, from `realizar-compile` to text: it says what the same model as GGUF says. */
import { appendFileSync, cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { inspectFile as inspect } from '../../compiler/model/inspect.js';
import { verifyArtifact } from '../../compiler/verify_artifact.js';
import { readGguf } from '../../runtime/files/gguf.js';
import { loadModel } from '../../runtime/index.js';
import { textSource } from '../../runtime/text/open.js';
import { Tokenizer } from '../../runtime/text/tokenizer.js';
import { buildAddon } from '../addon/support.js';
import { hostArtifact, ROOT, replay } from '../support/artifacts.js';
import { folderOf } from '../support/safetensors_of.js';
import { temporaryFolder } from '../support/tiny_models.js';

const STORYTELLER = join(ROOT, 'examples/storyteller-q8_0.gguf');
const GPT2 = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";
const folder = join(temporaryFolder, 'storyteller');
let artifact: string;

beforeAll(async () => {
  buildAddon();
  folderOf(STORYTELLER, folder, GPT2);
  artifact = await hostArtifact('safetensors-text', folder, { quantize: 'q8_0' });
});

test('a story and a conversation, word for word', async () => {
  const gguf = await hostArtifact('safetensors-text-gguf', STORYTELLER);
  const texts = [];
  for (const [at, model] of [
    [artifact, folder],
    [gguf, STORYTELLER],
  ] as const) {
    const loaded = await loadModel(at, { model });
    const options = { maxTokens: 40, temperature: 0 };
    const story = await loaded.generate('Once upon a time', options).result;
    const answer = await loaded.chat().send('What is 2 + 3?', options).result;
    texts.push({ story: story.text, answer: answer.text, parameters: loaded.info.parameters });
    await loaded.close();
  }
  expect(texts[0]).toEqual(texts[1]);
  expect(texts[0]!.story).toMatch(/\w+ \w+ \w+/);
});

test('the same ids', () => {
  const [ours, theirs] = [new Tokenizer(textSource(folder)), new Tokenizer(readGguf(STORYTELLER))];
  for (const text of ['Once upon a time', "<|im_start|>user\nIt's 12 + 30?<|im_end|>", 'Ümläut \u{1f98a}  two'])
    expect(ours.encode(text)).toEqual(theirs.encode(text));
  expect(ours.endIds).toEqual(expect.arrayContaining([...theirs.endIds]));
});

test('verify makes the same plan of it, inspect shows its files', async () => {
  const report = await verifyArtifact(artifact, { model: folder, weights: true });
  expect(report).toContain(`emits for ${folder}`);
  expect(report).toContain('all bytes of the model are those of the compile');
  const { format, refusal, tensors, metadata } = inspect(folder);
  expect({ format, refusal, tensors: tensors.length }).toEqual({ format: 'safetensors', refusal: null, tensors: 38 });
  expect(metadata).toContainEqual({ key: 'hidden_size', type: 'number', value: 256 });
});

describe('another folder is refused', () => {
  const run = (model: string) => replay(artifact, '--model', model, '--tokens', '1');
  const changed = (name: string, change: (path: string) => void) => {
    const copy = join(temporaryFolder, name);
    cpSync(folder, copy, { recursive: true });
    change(copy);
    return copy;
  };
  test.each<[string, (path: string) => void, RegExp]>([
    [
      'by its config.json',
      (path) => {
        const file = join(path, 'config.json');
        writeFileSync(file, readFileSync(file, 'utf8').replace('10000', '20000'));
      },
      /the SHA-256 of its header is/,
    ],
    [
      'by a longer shard',
      (path) => appendFileSync(join(path, 'model-00002-of-00002.safetensors'), 'x'),
      /it has \d+ bytes, not/,
    ],
  ])('%s', async (name, change, message) => {
    expect(await run(changed(name, change))).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(message),
    });
  });
  test('by a file in its place', async () => {
    const { code, stderr } = await run(join(folder, 'config.json'));
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining('give the folder') });
  });
  test('where it is not there', async () => {
    expect((await run(join(temporaryFolder, 'nowhere'))).stderr).toMatch(/nowhere\/config\.json: No such file/);
  });
});
