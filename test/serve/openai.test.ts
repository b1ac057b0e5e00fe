/** OpenAI's own client against the bundled model. */
import OpenAI from 'openai';
import { beforeAll, describe, expect, test } from 'vitest';
import type { LoadedModel } from '../../runtime/llm/model.js';
import { storyteller } from '../llm/support.js';
import { closeServers, listen } from './support.js';

const bundled = storyteller('serve-openai');
let model: LoadedModel;
beforeAll(async () => {
  model = await bundled.load({ sequences: 2 });
});
closeServers();

const NAME = 'storyteller-q8_0';
const SUM = [{ role: 'user', content: 'What is 3 plus 4?' }] as const;
const greedy = { model: NAME, temperature: 0 };
const sum = { ...greedy, messages: [...SUM] };

async function connect(): Promise<OpenAI> {
  const { url } = await listen(model);
  return new OpenAI({ baseURL: `${url}/v1`, apiKey: 'unused', maxRetries: 0 });
}

async function collect<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const one of stream) all.push(one);
  return all;
}

describe('chat.completions', () => {
  test('answers', async () => {
    const client = await connect();
    const answer = await client.chat.completions.create(sum);
    const prompt = await model.encodeChat(SUM);
    expect(answer).toMatchObject({ object: 'chat.completion', model: NAME });
    expect(answer.choices).toEqual([
      {
        index: 0,
        message: { role: 'assistant', content: '3 plus 4 is 7.', refusal: null },
        logprobs: null,
        finish_reason: 'stop',
      },
    ]);
    const completion = model.tokenize('3 plus 4 is 7.').length;
    expect(answer.usage).toMatchObject({
      prompt_tokens: prompt.length,
      completion_tokens: completion,
      total_tokens: prompt.length + completion,
    });
  });

  test('streams the same, piece by piece, with usage at the end', async () => {
    const client = await connect();
    const whole = await client.chat.completions.create(sum);
    const stream = await client.chat.completions.create({
      ...sum,
      stream: true,
      stream_options: { include_usage: true },
    });
    const chunks = await collect(stream);
    const deltas = chunks.flatMap(({ choices }) => choices.map(({ delta }) => delta.content ?? ''));
    expect(deltas.join('')).toBe('3 plus 4 is 7.');
    expect(deltas.filter((delta) => delta !== '').length).toBeGreaterThan(3);
    expect(chunks[0]!.choices[0]!.delta.role).toBe('assistant');
    expect(chunks.at(-2)!.choices[0]!.finish_reason).toBe('stop');
    expect(chunks.at(-1)!.choices).toEqual([]);
    expect(chunks.at(-1)!.usage).toMatchObject({
      prompt_tokens: whole.usage!.prompt_tokens,
      completion_tokens: whole.usage!.completion_tokens,
    });
    expect(new Set(chunks.map(({ id }) => id)).size).toBe(1);
    expect(chunks.slice(0, -1).every(({ usage }) => usage === null)).toBe(true);
  });

  test('works with the helper that assembles a stream', async () => {
    const client = await connect();
    const runner = client.chat.completions.stream(sum);
    expect(await runner.finalContent()).toBe('3 plus 4 is 7.');
  });

  test('history, system prompt and an answer that was sent back', async () => {
    const client = await connect();
    const first = await client.chat.completions.create(sum);
    const messages = [...SUM, first.choices[0]!.message, { role: 'user' as const, content: 'What is 5 plus 2?' }];
    const second = await client.chat.completions.create({ ...greedy, messages, max_completion_tokens: 40 });
    const expected = await model.generateChat(
      [SUM[0], { role: 'assistant', content: '3 plus 4 is 7.' }, { role: 'user', content: 'What is 5 plus 2?' }],
      { maxTokens: 40 },
    ).result;
    expect(second.choices[0]!.message.content).toBe(expected.text);
    expect(second.usage!.prompt_tokens).toBe(expected.promptTokens);
    expect(second.usage!.prompt_tokens_details!.cached_tokens).toBeGreaterThan(0);
  });

  test('max_tokens cuts, and says so', async () => {
    const client = await connect();
    const { choices, usage } = await client.chat.completions.create({ ...sum, max_tokens: 2 });
    expect(choices[0]!.finish_reason).toBe('length');
    expect(usage!.completion_tokens).toBe(2);
    expect('3 plus 4 is 7.'.startsWith(choices[0]!.message.content!)).toBe(true);
  });

  test('stop cuts before its text, streamed or not', async () => {
    const client = await connect();
    for (const stop of ['us 4', ['never', 's 4 i']]) {
      const { choices } = await client.chat.completions.create({ ...sum, stop });
      const expected = '3 plus 4 is 7.'.split(typeof stop === 'string' ? stop : stop[1]!)[0]!;
      expect(choices[0]).toMatchObject({ message: { content: expected }, finish_reason: 'stop' });
      const chunks = await collect(await client.chat.completions.create({ ...sum, stop, stream: true }));
      expect(chunks.map((chunk) => chunk.choices[0]!.delta.content ?? '').join('')).toBe(expected);
    }
  });

  test('the same seed gives the same text, another seed another', async () => {
    const client = await connect();
    const tell = async (seed: number) => {
      const messages = [{ role: 'user' as const, content: 'Tell me a story about a fox and a kite.' }];
      const answer = await client.chat.completions.create({
        model: NAME,
        messages,
        seed,
        temperature: 1,
        max_tokens: 24,
      });
      return answer.choices[0]!.message.content;
    };
    const [first, again] = [await tell(11), await tell(11)];
    expect(again).toBe(first);
    const others = await Promise.all([1, 2, 3].map(tell));
    expect(others.some((other) => other !== first)).toBe(true);
  });

  test('log probabilities add up, and the greedy choice is the first of the top', async () => {
    const client = await connect();
    const { choices } = await client.chat.completions.create({ ...sum, logprobs: true, top_logprobs: 3 });
    const content = choices[0]!.logprobs!.content!;
    expect(content.map(({ token }) => token).join('')).toBe('3 plus 4 is 7.');
    for (const { token, logprob, bytes, top_logprobs: top } of content) {
      expect(top).toHaveLength(3);
      expect(top[0]).toMatchObject({ token, logprob });
      expect(Buffer.from(bytes!).toString()).toBe(token);
      const sum = top.reduce((total, { logprob }) => total + Math.exp(logprob), 0);
      expect(sum).toBeGreaterThan(0);
      expect(sum).toBeLessThanOrEqual(1 + 1e-5);
    }
    const stream = await client.chat.completions.create({ ...sum, logprobs: true, top_logprobs: 3, stream: true });
    const streamed = (await collect(stream)).flatMap((chunk) => chunk.choices[0]!.logprobs?.content ?? []);
    expect(streamed).toEqual(content);
  });

  test('a bias bans a token', async () => {
    const client = await connect();
    const [first] = model.tokenize('3');
    const { choices } = await client.chat.completions.create({ ...sum, max_tokens: 1, logit_bias: { [first!]: -100 } });
    expect(choices[0]!.message.content).not.toBe('3');
  });

  test('n choices: equal where greedy, streamed by index', async () => {
    const client = await connect();
    const { choices, usage } = await client.chat.completions.create({ ...sum, n: 3 });
    expect(choices.map(({ index, message }) => [index, message.content])).toEqual(
      [0, 1, 2].map((index) => [index, '3 plus 4 is 7.']),
    );
    const one = await client.chat.completions.create(sum);
    expect(usage!.prompt_tokens).toBe(one.usage!.prompt_tokens);
    expect(usage!.completion_tokens).toBe(3 * one.usage!.completion_tokens);
    const texts = ['', '', ''];
    for await (const { choices } of await client.chat.completions.create({ ...sum, n: 3, stream: true }))
      for (const { index, delta } of choices) texts[index] += delta.content ?? '';
    expect(texts).toEqual(['3 plus 4 is 7.', '3 plus 4 is 7.', '3 plus 4 is 7.']);
  });
});

describe('completions', () => {
  const prompt = 'Once upon a time';

  test('a text, and its tokens, give what the model gives', async () => {
    const client = await connect();
    const expected = await model.generate(prompt, { maxTokens: 12 }).result;
    for (const same of [prompt, model.tokenize(prompt)]) {
      const { choices, usage, object } = await client.completions.create({ ...greedy, prompt: same, max_tokens: 12 });
      expect(object).toBe('text_completion');
      expect(choices).toEqual([{ index: 0, text: expected.text, logprobs: null, finish_reason: 'length' }]);
      expect(usage).toMatchObject({ prompt_tokens: expected.promptTokens, completion_tokens: 12 });
    }
  });

  test('ends after 16 tokens unless told otherwise', async () => {
    const client = await connect();
    expect((await client.completions.create({ ...greedy, prompt })).usage!.completion_tokens).toBe(16);
  });

  test('several prompts, texts or tokens, with several choices', async () => {
    const client = await connect();
    const prompts = [prompt, 'The fox'];
    const alone = await Promise.all(
      prompts.map((text) => client.completions.create({ ...greedy, prompt: text, max_tokens: 5 })),
    );
    const texts = alone.flatMap(({ choices }) => [choices[0]!.text, choices[0]!.text]);
    for (const both of [prompts, prompts.map((text) => model.tokenize(text))]) {
      const { choices, usage } = await client.completions.create({ ...greedy, prompt: both, max_tokens: 5, n: 2 });
      expect(choices.map(({ index, text }) => [index, text])).toEqual(texts.map((text, index) => [index, text]));
      expect(usage!.prompt_tokens).toBe(alone[0]!.usage!.prompt_tokens + alone[1]!.usage!.prompt_tokens);
      expect(usage!.completion_tokens).toBe(20);
    }
  });

  test('streams, with log probabilities', async () => {
    const client = await connect();
    const options = { ...greedy, prompt, max_tokens: 8, logprobs: 2 };
    const whole = (await client.completions.create(options)).choices[0]!;
    const chunks = await collect(await client.completions.create({ ...options, stream: true }));
    expect(chunks.map(({ choices }) => choices[0]!.text).join('')).toBe(whole.text);
    expect(chunks.at(-1)!.choices[0]!.finish_reason).toBe('length');
    const parts = chunks.map(({ choices }) => choices[0]!.logprobs);
    for (const field of ['tokens', 'token_logprobs', 'top_logprobs', 'text_offset'] as const)
      expect(parts.flatMap((part): unknown[] => part?.[field] ?? [])).toEqual(whole.logprobs![field]);
    expect(whole.logprobs!.tokens!.join('')).toBe(whole.text);
    expect(
      whole
        .logprobs!.text_offset!.map((offset) => whole.text.slice(offset))
        .every((rest, i) => {
          return rest.startsWith(whole.logprobs!.tokens![i]!);
        }),
    ).toBe(true);
  });

  test('repeats the prompt, whose log probabilities are those that it had as an answer', async () => {
    const client = await connect();
    const ask = async (more: object) =>
      (await client.completions.create({ ...greedy, logprobs: 1, ...more } as never)).choices[0]!;
    const answer = await ask({ prompt, max_tokens: 4 });
    const echoed = await ask({ prompt: prompt + answer.text, max_tokens: 0, echo: true });
    expect(echoed.text).toBe(prompt + answer.text);
    expect(echoed.logprobs!.tokens!.join('')).toBe(echoed.text);
    expect(echoed.logprobs!.token_logprobs![0]).toBeNull();
    const last = echoed.logprobs!.token_logprobs!.slice(-4);
    for (const [i, logprob] of last.entries())
      expect(Math.abs(logprob - answer.logprobs!.token_logprobs![i]!)).toBeLessThan(1e-3);
    const both = await ask({ prompt, max_tokens: 4, echo: true });
    expect(both.text).toBe(prompt + answer.text);
    expect(both.logprobs!.tokens).toEqual(echoed.logprobs!.tokens);
  });
});

describe('what the client makes of the rest', () => {
  test('models', async () => {
    const client = await connect();
    expect((await collect(client.models.list())).map(({ id, object }) => [id, object])).toEqual([[NAME, 'model']]);
    expect(await client.models.retrieve(NAME)).toMatchObject({ id: NAME, meta: { n_ctx: 512, n_vocab: 909 } });
    await expect(client.models.retrieve('gpt-4o')).rejects.toBeInstanceOf(OpenAI.NotFoundError);
  });

  test('errors', async () => {
    const client = await connect();
    const failure = (body: object) =>
      client.chat.completions.create({ ...sum, ...body } as typeof sum).then(
        () => undefined,
        (error: unknown) => error,
      );
    const unknown = await failure({ model: 'gpt-4o' });
    expect(unknown).toBeInstanceOf(OpenAI.NotFoundError);
    expect(unknown).toMatchObject({
      status: 404,
      code: 'model_not_found',
      param: 'model',
      type: 'invalid_request_error',
    });
    const wrong = await failure({ max_tokens: -1 });
    expect(wrong).toBeInstanceOf(OpenAI.BadRequestError);
    expect(wrong).toMatchObject({ status: 400, param: 'max_tokens' });
    const long = await failure({ messages: [{ role: 'user', content: 'story '.repeat(600) }] });
    expect(long).toBeInstanceOf(OpenAI.BadRequestError);
    expect(long).toMatchObject({ code: 'context_length_exceeded', message: expect.stringContaining('512 tokens') });
    const tools = await failure({ tools: [{ type: 'function', function: { name: 'f' } }] });
    expect(tools).toMatchObject({ status: 400, param: 'tools' });
    const json_schema = { name: 'n', schema: { type: 'object', not: {} } };
    const json = await failure({ response_format: { type: 'json_schema', json_schema } });
    expect(json).toBeInstanceOf(OpenAI.BadRequestError);
    expect(json).toMatchObject({
      param: 'response_format.json_schema.schema',
      message: expect.stringContaining('the schema at "/not": not is not enforced'),
    });
  });

  test('answers of a format', async () => {
    const client = await connect();
    const schema = {
      type: 'object',
      properties: {
        sum: { type: 'integer', maximum: 99, minimum: 0 },
        words: { type: 'array', items: { type: 'string', maxLength: 8 }, maxItems: 2 },
      },
      required: ['sum', 'words'],
      additionalProperties: false,
    };
    const asked = {
      ...{
        model: NAME,
        messages: [{ role: 'user' as const, content: 'What is 3 plus 4?' }],
        max_tokens: 100,
      },
      response_format: { type: 'json_schema' as const, json_schema: { name: 'sum', strict: true, schema } },
    };
    const { choices } = await client.chat.completions.create({ ...asked, n: 2 });
    let streamed = '';
    for await (const chunk of await client.chat.completions.create({ ...asked, stream: true }))
      streamed += chunk.choices[0]?.delta.content ?? '';
    for (const text of [...choices.map(({ message }) => message.content!), streamed]) {
      const { sum, words, ...others } = JSON.parse(text);
      expect(Number.isInteger(sum) && sum >= 0 && sum < 100 && words.length <= 2, text).toBe(true);
      expect(others).toEqual({});
    }
    expect(choices.map(({ finish_reason }) => finish_reason)).toEqual(['stop', 'stop']);
  });

  test('an API key that is right, wrong or missing', async () => {
    const { url } = await listen(model, { apiKey: 'sesame' });
    const client = (apiKey: string) => new OpenAI({ baseURL: `${url}/v1`, apiKey, maxRetries: 0 });
    expect((await client('sesame').models.list()).data).toHaveLength(1);
    for (const key of ['sesam', 'sesame!', ' '])
      await expect(client(key).chat.completions.create(sum)).rejects.toBeInstanceOf(OpenAI.AuthenticationError);
    for (const path of ['/v1/models', '/metrics', '/nowhere', '/tokenize'])
      expect((await fetch(url + path)).status).toBe(401);
    for (const path of ['/health', '/']) expect((await fetch(url + path)).status).toBe(200);
  });
});

test('tokenize and detokenize have the shapes of llama.cpp', async () => {
  const { url } = await listen(model);
  const ask = async (path: string, body: object) =>
    (
      await fetch(url + path, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      })
    ).json();
  const text = 'Once upon a time <|im_end|>';
  for (const parse_special of [true, false]) {
    const tokens = model.tokenize(text, { addSpecial: false, parseSpecial: parse_special });
    expect(await ask('/tokenize', { content: text, parse_special })).toEqual({ tokens });
    expect(await ask('/detokenize', { tokens })).toEqual({ content: text });
  }
  expect(await ask('/detokenize', { tokens: [1e6] })).toMatchObject({ error: { param: 'tokens' } });
});
