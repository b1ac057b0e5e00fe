/** A device that fails while it generates: on a library that has no model but fails as it is told (test/addon/mock.c). */
import { afterEach, expect, it } from 'vitest';
import { readGguf } from '../../runtime/files/gguf.js';
import type { LanguageModelInfo } from '../../runtime/index.js';
import { Encoder } from '../../runtime/llm/encoder.js';
import { LoadedModel } from '../../runtime/llm/model.js';
import { SessionPool } from '../../runtime/llm/pool.js';
import { Slot } from '../../runtime/llm/slot.js';
import { Tokenizer } from '../../runtime/text/tokenizer.js';
import { mockModels, Script } from '../addon/support.js';
import { collect, STORYTELLER } from './support.js';

const openMock = mockModels();
const opened: LoadedModel[] = [];
afterEach(async () => {
  for (const model of opened.splice(0)) await model.close();
});

async function open(script: Script): Promise<LoadedModel> {
  const model = await openMock(script);
  const tokenizer = new Tokenizer(readGguf(STORYTELLER));
  const { vocabSize, contextLength: context } = model.info;
  const info = { vocabSize, context, compiledContext: context, endTokens: tokenizer.endIds } as LanguageModelInfo;
  const pool = new SessionPool([new Slot(model)]);
  const encoder = new Encoder(tokenizer, STORYTELLER);
  const loaded = new LoadedModel({ model, info, pool, tokenizer, encoder, template: undefined });
  opened.push(loaded);
  return loaded;
}

it('fails that generation, and the next one has a new session', async () => {
  const script = new Script('fail token 8');
  const model = await open(script);
  const generation = model.generate([5, 7], { ignoreEos: true });
  const waiting = model.generate([5, 7], { ignoreEos: true, maxTokens: 1 });
  const error = { name: 'RealizarError', status: 8, message: 'the script fails token' };
  await expect(collect(generation)).rejects.toMatchObject(error);
  await expect(generation.result).rejects.toMatchObject(error);
  expect(await waiting.result).toMatchObject({ completionTokens: 1, cachedTokens: 0, stopReason: 'length' });
  expect(script.calls().filter((line) => line === 'session_open')).toHaveLength(2);
  expect(model.activity).toEqual({ running: 0, waiting: 0 });
});

it('fails one after the other where no session can be opened', async () => {
  const script = new Script('fail session_open 7');
  const model = await open(script);
  for (let i = 0; i < 3; i++)
    await expect(model.generate([1], { logprobs: i }).result).rejects.toMatchObject({ status: 7 });
  expect(model.activity).toEqual({ running: 0, waiting: 0 });
});

it('says that it has no chat template, and how to have one', async () => {
  const model = await open(new Script());
  const missing = { statusName: 'CHAT_TEMPLATE', message: expect.stringMatching(/no chat template.*chatml/) };
  expect(() => model.chat()).toThrow(expect.objectContaining(missing));
  expect(() => model.generateChat([{ role: 'user', content: 'Hi' }])).toThrow(expect.objectContaining(missing));
  await expect(model.applyChatTemplate([{ role: 'user', content: 'Hi' }])).rejects.toMatchObject(missing);
});
