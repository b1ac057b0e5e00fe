/** `echo`: the prompt before its completion, and its log probabilities, as evaluation harnesses ask for them. */
import { expect, test } from 'vitest';
import { scriptedModel } from './scripted_model.js';
import { closeServers, listen, post } from './support.js';

closeServers();

const COMPLETION = '/v1/completions';
const ask = async (body: object) => {
  const model = scriptedModel();
  const { url } = await listen(model);
  return { model, answer: await post(url + COMPLETION, body) };
};

test('puts the prompt before each of its completions', async () => {
  const { model, answer } = await ask({ prompt: ['ab', 'c'], echo: true, max_tokens: 2, n: 2 });
  const texts = answer.body.choices.map(({ text }: { text: string }) => text);
  expect(texts).toEqual(['abxx', 'abxx', 'cxx', 'cxx']);
  expect(model.counts).toEqual([2, 2]);
  expect(answer.body.usage).toMatchObject({ prompt_tokens: 3, completion_tokens: 8 });
  const tokens = await ask({ prompt: [65, 66], echo: true, max_tokens: 1 });
  expect(tokens.answer.body.choices[0].text).toBe('ABx');
});

test('shows log probabilities of the prompt; its first token has none', async () => {
  const { model, answer } = await ask({ prompt: 'abc', echo: true, logprobs: 0, max_tokens: 1 });
  expect(answer.body.choices[0]).toEqual({
    text: 'abcx',
    index: 0,
    logprobs: {
      tokens: ['a', 'b', 'c', 'x'],
      token_logprobs: [null, -1, -2, -0.5],
      top_logprobs: [null, { b: -1 }, { c: -2 }, { x: -0.5 }],
      text_offset: [0, 1, 2, 3],
    },
    finish_reason: 'length',
  });
  expect(model.options.map(({ maxTokens }) => maxTokens)).toEqual([0, 1]);
});

test('may ask for nothing but the prompt', async () => {
  const { answer } = await ask({ prompt: 'abc', echo: true, logprobs: 1, max_tokens: 0 });
  expect(answer.body.choices[0]).toMatchObject({
    text: 'abc',
    logprobs: { tokens: ['a', 'b', 'c'], token_logprobs: [null, -1, -2] },
    finish_reason: 'length',
  });
  expect(answer.body.usage).toMatchObject({ prompt_tokens: 3, completion_tokens: 0 });
});

test('comes first in a stream', async () => {
  const { answer } = await ask({ prompt: 'ab', echo: true, logprobs: 0, max_tokens: 1, stream: true, n: 2 });
  const chunks = [...answer.body.matchAll(/^data: (\{.*)$/gm)].map(([, json]) => JSON.parse(json).choices[0]);
  expect(chunks.slice(0, 2)).toEqual(
    [0, 1].map((index) => ({
      text: 'ab',
      index,
      logprobs: {
        tokens: ['a', 'b'],
        token_logprobs: [null, -1],
        top_logprobs: [null, { b: -1 }],
        text_offset: [0, 1],
      },
      finish_reason: null,
    })),
  );
  const answers = chunks.slice(2).filter(({ text }: { text: string }) => text !== '');
  expect(answers).toHaveLength(2);
  for (const { text, logprobs } of answers) expect([text, logprobs.text_offset]).toEqual(['x', [2]]);
});
