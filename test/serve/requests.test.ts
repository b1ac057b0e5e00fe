/** Requests that are wrong, or ask for what the server has not: the right status, the parameter, and the next one works. */
import { connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import { scriptedModel } from './scripted_model.js';
import { closeServers, listen, post } from './support.js';

closeServers();

const CHAT = '/v1/chat/completions';
const COMPLETION = '/v1/completions';
const messages = [{ role: 'user', content: 'hi' }];

interface Failure {
  error: { message: string };
}

type Case = [what: string, body: unknown, param: string | null, message: RegExp];

const BAD_CHATS: Case[] = [
  ['no JSON', '{"messages": [', null, /could not be read/],
  ['NaN', '{"messages": [{"role": "user", "content": "hi"}], "temperature": NaN}', null, /could not be read/],
  [
    'a number that is too large',
    '{"messages": [{"role":"user","content":"a"}], "temperature": 1e999}',
    'temperature',
    /Infinity/,
  ],
  ['nothing', '', null, /could not be read/],
  ['no object', [], null, /must be a JSON object/],
  ['no messages', {}, 'messages', /Missing required parameter/],
  ['empty messages', { messages: [] }, 'messages', /at least 1 item/],
  ['messages that are a text', { messages: 'hi' }, 'messages', /expected array, found "hi"/],
  ['an unknown role', { messages: [{ role: 'robot', content: '' }] }, 'messages[0].role', /one of system/],
  ['a message without content', { messages: [{ role: 'user' }] }, 'messages[0].content', /Missing/],
  ['a content that is a number', { messages: [{ role: 'user', content: 1 }] }, 'messages[0].content', /list of parts/],
  [
    'an image',
    { messages: [{ role: 'user', content: [{ type: 'image_url' }] }] },
    'messages[0].content[0]',
    /Only parts of type "text"/,
  ],
  [
    'a message of a tool without the call',
    { messages: [{ role: 'tool', content: '' }] },
    'messages[0].tool_call_id',
    /Missing/,
  ],
  ['a message of a function', { messages: [{ role: 'function', content: '' }] }, 'messages[0].role', /older form/],
  ['tool calls', { messages: [{ role: 'assistant', tool_calls: [{}] }] }, 'messages[0].tool_calls[0].id', /Missing/],
  ['tools that are none', { messages, tools: [{ type: 'function' }] }, 'tools[0].function', /Missing/],
  ['a parameter nobody knows', { messages, temprature: 1 }, 'temprature', /Unrecognized request argument/],
  ['temperature as a text', { messages, temperature: '1' }, 'temperature', /expected number or null, found "1"/],
  ['temperature 3', { messages, temperature: 3 }, 'temperature', /a number <= 2, found 3/],
  ['max_tokens -1', { messages, max_tokens: -1 }, 'max_tokens', /a number >= 1, found -1/],
  ['max_tokens 0', { messages, max_tokens: 0 }, 'max_tokens', /a number >= 1, found 0/],
  ['max_tokens 1.5', { messages, max_tokens: 1.5 }, 'max_tokens', /expected integer/],
  ['max_tokens 1e9', { messages, max_tokens: 1e9 }, 'messages', /4096 tokens.*requested 1000000002 tokens \(2 in/],
  ['max_completion_tokens 0', { messages, max_completion_tokens: 0 }, 'max_completion_tokens', />= 1/],
  ['two different limits', { messages, max_tokens: 1, max_completion_tokens: 2 }, 'max_tokens', /not both/],
  ['five stop strings', { messages, stop: ['a', 'b', 'c', 'd', 'e'] }, 'stop', /at most 4 strings/],
  ['an empty stop string', { messages, stop: '' }, 'stop', /none empty/],
  ['n 0', { messages, n: 0 }, 'n', />= 1/],
  ['n beyond what is let in', { messages, n: 100 }, 'n', /at most 65 at a time/],
  ['top_logprobs alone', { messages, top_logprobs: 2 }, 'top_logprobs', /'logprobs' to be true/],
  ['top_logprobs 21', { messages, logprobs: true, top_logprobs: 21 }, 'top_logprobs', /<= 20/],
  ['a bias of no token', { messages, logit_bias: { 256: 1 } }, 'logit_bias', /ids from 0 to 255, found "256"/],
  ['a bias of a word', { messages, logit_bias: { 'a b': 1 } }, 'logit_bias', /found "a b"/],
  ['a bias of 101', { messages, logit_bias: { 1: 101 } }, 'logit_bias[1]', /<= 100/],
  ['echo', { messages, echo: true }, 'echo', /not repeated/],
  ['stream as a text', { messages, stream: 'yes' }, 'stream', /boolean/],
  ['stream options nobody knows', { messages, stream_options: { a: 1 } }, 'stream_options.a', /Unrecognized/],
  ['a model that is a number', { messages, model: 3 }, 'model', /string/],
];

const BAD_COMPLETIONS: Case[] = [
  ['no prompt', {}, 'prompt', /Missing required parameter/],
  ['an empty prompt', { prompt: '' }, 'prompt', /at least one token/],
  ['an empty list', { prompt: [] }, 'prompt', /none empty/],
  ['a mixed list', { prompt: ['a', 1] }, 'prompt', /a string, a list of token ids/],
  ['null', { prompt: null }, 'prompt', /a string, a list of token ids/],
  ['a token beyond the vocabulary', { prompt: [1, 256] }, 'prompt', /0 to 255, found 256/],
  ['a token below it', { prompt: [-1] }, 'prompt', /a list of token ids/],
  ['max_tokens 0', { prompt: 'a', max_tokens: 0 }, 'max_tokens', /a number >= 1, found 0/],
  ['max_tokens -1', { prompt: 'a', max_tokens: -1 }, 'max_tokens', /a number >= 0, found -1/],
  ['a suffix', { prompt: 'a', suffix: 'b' }, 'suffix', /not supported/],
  ['best_of', { prompt: 'a', best_of: 2 }, 'best_of', /not supported/],
  [
    'a prompt beyond the context',
    { prompt: 'a'.repeat(5000) },
    'prompt',
    /4096 tokens.*requested 5001 tokens \(5000 in the prompt/,
  ],
  ['logprobs as chats have them', { prompt: 'a', logprobs: true }, 'logprobs', /integer/],
];

const cases = [
  ...BAD_CHATS.map((bad) => [CHAT, ...bad] as const),
  ...BAD_COMPLETIONS.map((bad) => [COMPLETION, ...bad] as const),
];

test.each(cases)('%s refuses %s', async (path, _what, body, param, message) => {
  const { url, admission } = await listen(scriptedModel());
  const answer = await post(url + path, body);
  expect(answer.status).toBe(400);
  expect(answer.body).toEqual({
    error: {
      message: expect.stringMatching(message),
      type: 'invalid_request_error',
      param,
      code: answer.body.error.code,
    },
  });
  expect((await post(url + CHAT, { messages, max_tokens: 2 })).status).toBe(200);
  expect(admission.occupied).toBe(0);
});

describe('context overflow', () => {
  test.each([
    [CHAT, { messages: [{ role: 'user', content: 'a'.repeat(4096) }] }],
    [CHAT, { messages, max_tokens: 4095 }],
    [COMPLETION, { prompt: 'a'.repeat(4096) }],
    [COMPLETION, { prompt: 'ab', max_tokens: 4095 }],
  ])('%s has the code that clients look for, and both numbers', async (path, body) => {
    const { url } = await listen(scriptedModel());
    const { status, body: answer } = await post(url + path, body);
    expect(status).toBe(400);
    expect(answer.error.code).toBe('context_length_exceeded');
    expect(answer.error.message).toContain('maximum context length is 4096 tokens');
    expect(answer.error.message).toContain('requested 4097 tokens');
  });

  test('what just fits is answered', async () => {
    const { url } = await listen(scriptedModel());
    expect((await post(url + COMPLETION, { prompt: 'ab', max_tokens: 4094 })).body.usage.total_tokens).toBe(4096);
  });
});

describe('other statuses', () => {
  test('404 for another model', async () => {
    const { url } = await listen(scriptedModel());
    for (const [path, body] of [
      [CHAT, { messages, model: 'gpt-4o' }],
      [COMPLETION, { prompt: 'a', model: 'gpt-4o' }],
    ] as const) {
      const { status, body: answer } = await post(url + path, body);
      expect(status).toBe(404);
      expect(answer.error).toMatchObject({ code: 'model_not_found', param: 'model' });
      expect(answer.error.message).toContain("'gpt-4o' does not exist. This server has 'scripted'");
    }
    expect((await fetch(`${url}/v1/models/gpt-4o`)).status).toBe(404);
  });

  test('404 for unknown paths, 405 for other methods', async () => {
    const { url } = await listen(scriptedModel());
    const unknown = await fetch(`${url}/v1/embeddings`);
    expect(unknown.status).toBe(404);
    expect(((await unknown.json()) as Failure).error).toMatchObject({
      code: 'unknown_url',
      type: 'invalid_request_error',
    });
    const wrong = await fetch(url + CHAT);
    expect(wrong.status).toBe(405);
    expect(wrong.headers.get('allow')).toBe('POST');
    expect(((await wrong.json()) as Failure).error.message).toBe(
      'Not allowed to GET on /v1/chat/completions: use POST.',
    );
    expect((await fetch(`${url}/health`, { method: 'DELETE' })).headers.get('allow')).toBe('GET');
  });

  test('400 for what is no HTTP, or no path, in the same shape', async () => {
    const { url } = await listen(scriptedModel());
    const { hostname, port } = new URL(url);
    for (const text of ['GARBAGE\r\n\r\n', 'GET /%zz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n']) {
      const socket = connect(Number(port), hostname);
      socket.write(text);
      const answer = Buffer.concat(await socket.toArray()).toString();
      expect(answer).toMatch(/^HTTP\/1.1 400 /);
      const failure = JSON.parse(answer.slice(answer.indexOf('\r\n\r\n')));
      expect(failure.error).toMatchObject({ type: 'invalid_request_error', param: null });
    }
  });

  test('415 for what is not JSON', async () => {
    const { url } = await listen(scriptedModel());
    for (const type of ['text/plain', 'application/x-www-form-urlencoded']) {
      const answer = await post(url + CHAT, { messages }, { 'content-type': type });
      expect(answer.status).toBe(415);
      expect(answer.body.error.message).toContain('Content-Type: application/json');
    }
  });

  test('413 for a body of 16 MB, declared or streamed, and the next request works', async () => {
    const { url } = await listen(scriptedModel());
    const body = JSON.stringify({ messages: [{ role: 'user', content: 'a'.repeat(16e6) }] });
    const declared = await post(url + CHAT, body);
    expect(declared.status).toBe(413);
    expect(declared.body.error).toMatchObject({
      code: 'request_too_large',
      message: expect.stringContaining('1048576'),
    });
    const streamed = await fetch(url + CHAT, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: new Blob([body]).stream(),
      duplex: 'half',
    } as RequestInit).then(
      ({ status }) => status,
      () => 'closed', // the server does not read on; whether the client sees the answer first is up to its timing
    );
    expect([413, 'closed']).toContain(streamed);
    expect((await post(url + CHAT, { messages, max_tokens: 1 })).status).toBe(200);
  });

  test('500 without details where the model fails; the log has them', async () => {
    let broken = true;
    const beforeToken = async () => {
      if (broken) throw new Error('/secret/path: out of memory');
    };
    const { url, lines } = await listen(scriptedModel({ beforeToken }));
    const { status, body } = await post(url + CHAT, { messages });
    expect(status).toBe(500);
    expect(body.error).toMatchObject({ type: 'server_error', code: 'internal_error' });
    expect(JSON.stringify(body)).not.toContain('secret');
    expect(lines.join('\n')).toContain('/secret/path: out of memory');
    broken = false;
    expect((await post(url + CHAT, { messages, max_tokens: 1 })).status).toBe(200);
  });
});

test('what changes no answer is let through', async () => {
  const { url } = await listen(scriptedModel());
  const body = {
    messages: [...messages, { role: 'assistant', content: 'yes', refusal: null, annotations: [], tool_calls: [] }],
    ...{ user: 'u', store: false, metadata: {}, service_tier: 'auto', tools: [], tool_choice: 'none', best_of: null },
    ...{ response_format: { type: 'text' }, temperature: null, stop: null, max_tokens: 3, logit_bias: null },
  };
  expect((await post(url + CHAT, body)).status).toBe(200);
});

test('parameters reach the model', async () => {
  const model = scriptedModel();
  const { url } = await listen(model);
  await post(url + CHAT, {
    messages: [
      { role: 'developer', content: 'a' },
      {
        role: 'user',
        content: [
          { type: 'text', text: 'b' },
          { type: 'text', text: 'c' },
        ],
      },
    ],
    ...{ temperature: 0.5, top_p: 0.9, top_k: 40, min_p: 0.05, presence_penalty: 0.1, frequency_penalty: 0.2 },
    ...{ repeat_penalty: 1.1, repeat_last_n: -1, seed: 7, stop: ['.', '!'], logit_bias: { 5: -100 }, n: 2 },
    ...{ max_completion_tokens: 3, logprobs: true, top_logprobs: 2, ignore_eos: true },
  });
  expect(model.prompts).toEqual([tokens('ab\nc')]);
  expect(model.counts).toEqual([2]);
  expect(model.options.map(({ signal, ...options }) => options)).toEqual([
    {
      ...{ temperature: 0.5, topP: 0.9, topK: 40, minP: 0.05, presencePenalty: 0.1, frequencyPenalty: 0.2 },
      ...{ repeatPenalty: 1.1, repeatLastN: -1, seed: 7, stop: ['.', '!'], logitBias: new Map([[5, -100]]) },
      ...{ maxTokens: 3, logprobs: 2, ignoreEos: true, continues: false },
    },
  ]);
  model.options.length = 0;
  await post(url + COMPLETION, { prompt: 'a', seed: -1 });
  expect(model.options.map(({ signal, ...options }) => options)).toEqual([{ temperature: 1, maxTokens: 16 }]);
});

const tokens = (text: string) => [...text].map((character) => character.charCodeAt(0));
