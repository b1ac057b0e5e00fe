/** A device that fails while it generates: on a library that has no model but fails as it is told. */
import { expect, it } from 'vitest';
import { following, Script } from '../addon/support.js';
import { mockLanguageModels } from './mock_model.js';
import { collect } from './support.js';

const open = mockLanguageModels();
const options = { ignoreEos: true };

it('fails one generation where that is one sequence’s failure, and no other', async () => {
  const model = await open(new Script('fail engine token 8'), { sequences: 1 });
  const generation = model.generate([5, 7], options);
  const waiting = model.generate([5, 7], { ...options, maxTokens: 1 });
  const error = { name: 'RealizarError', status: 8, message: 'the script fails engine token' };
  await expect(collect(generation)).rejects.toMatchObject(error);
  await expect(generation.result).rejects.toMatchObject(error);
  expect(await waiting.result).toMatchObject({ completionTokens: 1, stopReason: 'length' });
  expect(model.activity).toEqual({ running: 0, waiting: 0 });
});

it('fails what runs and what waits where the device fails, and the next has a new engine', async () => {
  const script = new Script('fail engine device 8', 'slow engine token 50');
  const model = await open(script, { sequences: 2 });
  const generations = [1, 2, 3].map((token) => model.generate([token], options));
  for (const { result } of generations) await expect(result).rejects.toMatchObject({ status: 8 });
  expect(model.activity).toEqual({ running: 0, waiting: 0 });
  const next = await model.generate([3], { ...options, maxTokens: 1 }).result;
  expect(next.tokens).toEqual(following([3], 1));
  expect(script.calls().filter((line) => line.startsWith('engine_open'))).toHaveLength(2);
  expect(script.calls().filter((line) => line === 'engine_close')).toHaveLength(1);
  expect(model.statistics().chosenTokens).toBe(1);
});

it('refuses what cannot be computed, and keeps the engine', async () => {
  const script = new Script('fail engine_submit 9');
  const model = await open(script);
  for (let i = 0; i < 2; i++) await expect(model.generate([1]).result).rejects.toMatchObject({ status: 9 });
  expect(script.calls().filter((line) => line.startsWith('engine_open'))).toHaveLength(1);
  expect(model.activity).toEqual({ running: 0, waiting: 0 });
});

it('says that it has no chat template, and how to have one', async () => {
  const model = await open();
  const missing = { statusName: 'CHAT_TEMPLATE', message: expect.stringMatching(/no chat template.*chatml/) };
  expect(() => model.chat()).toThrow(expect.objectContaining(missing));
  expect(() => model.generateChat([{ role: 'user', content: 'Hi' }])).toThrow(expect.objectContaining(missing));
  await expect(model.applyChatTemplate([{ role: 'user', content: 'Hi' }])).rejects.toMatchObject(missing);
});
