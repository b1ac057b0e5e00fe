/** Parameters of OpenAI's API, llama.cpp's server and vLLM: done, ignored or refused, as docs/serve.md lists them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { TemplateOptions } from '../../runtime/index.js';
import { FIELDS } from '../../runtime/serve/fields.js';
import { chatLogprobs, completionLogprobs } from '../../runtime/serve/logprobs.js';
import { templateJson } from '../../runtime/text/template_json.js';
import { ROOT } from '../support/artifacts.js';
import { scriptedModel } from './scripted_model.js';
import { closeServers, listen, post } from './support.js';

closeServers();

const CHAT = '/v1/chat/completions';
const COMPLETION = '/v1/completions';
const chat = { messages: [{ role: 'user', content: 'hi' }], max_tokens: 1 };
const completion = { prompt: 'hi', max_tokens: 1 };
const BODIES = [
  [CHAT, chat, 'chat'],
  [COMPLETION, completion, 'completion'],
] as const;

test('the list in docs/serve.md is what the server does', () => {
  const [, section] = readFileSync(join(ROOT, 'docs/serve.md'), 'utf8').split('\n## Parameters\n');
  const rows = section!.split('\n## ')[0]!.matchAll(/^\| (`.*`) \| (\S.*?) \|/gm);
  const listed = [...rows].flatMap(([, names, what]) =>
    [...names!.matchAll(/`([^`]+)`/g)].map(([, name]) => [name, what] as const),
  );
  const done = [...FIELDS].map(([name, field]) => {
    if ('does' in field) return [name, 'done'];
    if ('ignored' in field) return [name, 'ignored'];
    return [name, field.unless ? `refused unless ${field.unless.words}` : 'refused'];
  });
  expect(Object.fromEntries(listed)).toEqual(Object.fromEntries(done));
  expect(listed).toHaveLength(FIELDS.size);
});

/** Values that clients send, by parameter. */
const HARMLESS: Record<string, readonly unknown[]> = {
  ...{
    functions: [[]],
    function_call: ['none'],
    best_of: [1],
  },
  ...{
    modalities: [['text']],
    verbosity: ['medium'],
    suffix: [''],
  },
  ...{ structural_tag: [''], grammar_lazy: [false] },
  samplers: [
    ['penalties', 'dry', 'top_n_sigma', 'top_k', 'typ_p', 'top_p', 'min_p', 'xtc', 'temperature'],
    ['penalties', 'top_k', 'top_p', 'min_p', 'temperature'],
  ],
  ...{
    tfs_z: [1, 1.5],
    typical_p: [1],
    mirostat: [0],
    dynatemp_range: [0],
    xtc_probability: [0],
    top_n_sigma: [-1, 0],
  },
  ...{
    dry_multiplier: [0],
    adaptive_target: [-1],
    min_keep: [0],
    use_beam_search: [false],
    penalize_nl: [true, false],
  },
  ...{ post_sampling_probs: [false], min_tokens: [0], stop_token_ids: [[]], bad_words: [[]], logits_processors: [[]] },
  ...{ n_indent: [0], t_max_predict_ms: [0, -1], continue_final_message: [false], skip_special_tokens: [true] },
  ...{
    return_tokens_as_token_ids: [false],
    return_token_ids: [false],
    response_fields: [[]],
  },
  ...{ reasoning_budget: [-1], thinking_budget_tokens: [-1], lora: [[]] },
  ...{ thinking_token_budget: [-1], image_data: [[]], mm_processor_kwargs: [{}], media_io_kwargs: [{}] },
  ...{ kv_transfer_params: [{}], vllm_xargs: [{}] },
};

describe('refused', () => {
  const refused = [...FIELDS].filter(([, field]) => 'refused' in field);

  test('by name, whatever is asked for, and let through where nothing is', async () => {
    const { url } = await listen(scriptedModel());
    for (const [name, field] of refused) {
      const { status, body } = await post(url + CHAT, { ...chat, [name]: 'something' });
      expect([name, status, body.error?.param]).toEqual([name, 400, name]);
      expect(body.error.message).toBe('refused' in field && field.refused);
    }
    for (const [path, base] of BODIES)
      for (const [name] of refused)
        for (const value of [null, ...(HARMLESS[name] ?? [])])
          expect([name, value, (await post(url + path, { ...base, [name]: value })).status]).toEqual([
            name,
            value,
            200,
          ]);
  });

  test.each([
    ['samplers', ['top_k', 'temperature']],
    ['samplers', ['temperature', 'top_k', 'top_p', 'min_p', 'penalties']],
    ['samplers', 'kfypmt'],
    ['mirostat', 2],
    ['tfs_z', 0.9],
    ['typical_p', 0.2],
    ['dry_multiplier', 0.8],
    ['min_tokens', 5],
    ['stop_token_ids', [13]],
    ['grammar_lazy', true],
    ['structural_tag', '{}'],
    ['skip_special_tokens', false],
    ['continue_final_message', true],
    ['prompt_logprobs', 0],
    ['best_of', 2],
    ['lora', [{ id: 0, scale: 1 }]],
    ['cache_salt', 'salt'],
    ['reasoning_budget', 0],
  ])('%s %j', async (name, value) => {
    const { url } = await listen(scriptedModel());
    expect((await post(url + COMPLETION, { ...completion, [name]: value })).body.error).toMatchObject({
      param: name,
      code: 'unsupported_parameter',
    });
  });

  test('penalize_nl where a penalty would be another one', async () => {
    const { url } = await listen(scriptedModel());
    const { status } = await post(url + CHAT, { ...chat, penalize_nl: false, repeat_penalty: 1.1 });
    expect(status).toBe(400);
  });
});

test('ignored parameters change no options, whatever their value; of a wrong type they are refused', async () => {
  const model = scriptedModel();
  const { url } = await listen(model);
  const values = { string: 'x', boolean: true, integer: 1, number: 0.5, array: ['x'], object: { a: 1 } };
  const ignored = [...FIELDS].flatMap(([name, field]) => ('ignored' in field ? [[name, field.ignored] as const] : []));
  const all = Object.fromEntries(
    ignored.map(([name, { type }]) => [name, values[(type as (keyof typeof values)[])[0]!]]),
  );
  for (const [path, base] of BODIES) {
    model.options.length = 0;
    await post(url + path, base);
    expect((await post(url + path, { ...base, ...all })).status).toBe(200);
    const [without, withAll] = model.options.map(({ signal, ...options }) => options);
    expect(withAll).toEqual(without);
  }
  for (const [name] of ignored) {
    const wrong = name === 'metadata' ? 1 : {};
    expect((await post(url + CHAT, { ...chat, [name]: wrong })).body.error?.param).toBe(name);
  }
});

describe('done', () => {
  const optionsOf = async (path: string, body: object) => {
    const model = scriptedModel();
    const { url } = await listen(model);
    const answer = await post(url + path, body);
    const { signal, ...options } = model.options[0] ?? {};
    return { status: answer.status, body: answer.body, options, prompt: model.prompts[0], given: model.rendered[0] };
  };

  test('n_predict is max_tokens; -1 is no limit', async () => {
    for (const [path, base] of BODIES) {
      const { max_tokens: _, ...bare } = base;
      expect((await optionsOf(path, { ...bare, n_predict: 3 })).options).toMatchObject({ maxTokens: 3 });
      expect((await optionsOf(path, { ...bare, n_predict: 0 })).body.usage.completion_tokens).toBe(0);
      expect((await optionsOf(path, { ...bare, n_predict: -1 })).options).not.toHaveProperty('maxTokens');
      expect((await optionsOf(path, { ...bare, n_predict: 3, max_tokens: 3 })).status).toBe(200);
      const differ = await optionsOf(path, { ...bare, n_predict: 3, max_tokens: 4 });
      expect(differ.body.error).toMatchObject({ param: 'n_predict', message: expect.stringContaining('not both') });
    }
  });

  test('n_cmpl is n; repetition_penalty is repeat_penalty over all tokens; top_k -1 is all', async () => {
    for (const [path, base] of BODIES) {
      expect((await optionsOf(path, { ...base, n_cmpl: 2 })).body.choices).toHaveLength(2);
      const { options } = await optionsOf(path, { ...base, repetition_penalty: 1.2, top_k: -1 });
      expect(options).toMatchObject({ repeatPenalty: 1.2, repeatLastN: -1, topK: 0 });
      expect((await optionsOf(path, { ...base, repetition_penalty: 1.2, repeat_last_n: 5 })).options).toMatchObject({
        repeatLastN: 5,
      });
      expect((await optionsOf(path, { ...base, repeat_penalty: 1.2 })).options).not.toHaveProperty('repeatLastN');
      expect((await optionsOf(path, { ...base, repetition_penalty: 1.2, repeat_penalty: 1.1 })).status).toBe(400);
    }
  });

  const PERSON = { type: 'object', properties: { name: { type: 'string' } } };
  const ANY = { type: 'object' };
  test.each([
    [{ response_format: { type: 'json_object' } }, { schema: ANY }],
    [{ response_format: { type: 'json_object', schema: PERSON } }, { schema: PERSON }],
    [
      { response_format: { type: 'json_schema', json_schema: { name: 'p', strict: true, schema: PERSON } } },
      { schema: PERSON },
    ],
    [{ json_schema: PERSON }, { schema: PERSON }],
    [{ grammar: 'root ::= "a"' }, { grammar: 'root ::= "a"' }],
    [{ guided_json: PERSON }, { schema: PERSON }],
    [{ guided_json: JSON.stringify(PERSON) }, { schema: PERSON }],
    [{ guided_regex: 'a+' }, { regex: 'a+' }],
    [{ guided_choice: ['a', 'b'] }, { choice: ['a', 'b'] }],
    [{ guided_grammar: 'root ::= "a"' }, { grammar: 'root ::= "a"' }],
    [{ structured_outputs: { json: PERSON } }, { schema: PERSON }],
    [{ structured_outputs: { json_object: true, regex: null } }, { schema: ANY }],
    [{ structured_outputs: { choice: ['a'] } }, { choice: ['a'] }],
    [{ structured_outputs: { regex: 'a' } }, { regex: 'a' }],
    [
      { response_format: { type: 'text' }, grammar: '', guided_choice: [], guided_json: null, structured_outputs: {} },
      undefined,
    ],
  ])('%j is a format', async (more, format) => {
    for (const [path, base] of BODIES)
      expect((await optionsOf(path, { ...base, ...more })).options.format).toEqual(format);
  });

  test.each([
    [
      { response_format: { type: 'json_schema', json_schema: { schema: PERSON } } },
      'response_format.json_schema.schema',
    ],
    [{ response_format: { type: 'json_object', schema: PERSON } }, 'response_format.schema'],
    [{ guided_json: PERSON }, 'guided_json'],
    [{ structured_outputs: { regex: 'a' } }, 'structured_outputs.regex'],
    [{ grammar: 'root ::= "a"' }, 'grammar'],
  ])('%j that cannot be enforced is refused before anything is sent, with the reason', async (more, param) => {
    const { url } = await listen(scriptedModel({ refuses: 'the schema at "/x": not is not enforced' }));
    for (const [path, base] of BODIES)
      for (const stream of [false, true]) {
        const { status, body } = await post(url + path, { ...base, ...more, stream });
        expect([status, body.error.param, body.error.code]).toEqual([400, param, 'invalid_value']);
        expect(body.error.message).toContain(`Invalid '${param}': the schema at "/x": not is not enforced`);
      }
  });

  test.each([
    [{ response_format: { type: 'json' } }, 'response_format.type'],
    [{ response_format: { type: 'json_schema' } }, 'response_format.json_schema.schema'],
    [{ response_format: { type: 'json_schema', json_schema: { name: 'x' } } }, 'response_format.json_schema.schema'],
    [{ response_format: 'json_object' }, 'response_format'],
    [{ guided_json: '{' }, 'guided_json'],
    [{ guided_json: '[]' }, 'guided_json'],
    [{ guided_choice: [1] }, 'guided_choice[0]'],
    [{ structured_outputs: { structural_tag: '{}' } }, 'structured_outputs.structural_tag'],
    [{ structured_outputs: { choice: [1] } }, 'structured_outputs.choice'],
    [{ grammar: 'root ::= "a"', json_schema: {} }, 'grammar'],
    [{ grammar: 'root ::= "a"', ignore_eos: true }, 'ignore_eos'],
  ])('%j is no format', async (more, param) => {
    const { url } = await listen(scriptedModel());
    for (const [path, base] of BODIES) {
      const { status, body } = await post(url + path, { ...base, ...more });
      expect([status, body.error.param]).toEqual([400, param]);
    }
  });

  test('n_probs asks for log probabilities', async () => {
    for (const [path, base] of BODIES) {
      expect((await optionsOf(path, { ...base, n_probs: 0 })).options).not.toHaveProperty('logprobs');
      const some = await optionsOf(path, { ...base, n_probs: 4 });
      expect(some.options).toMatchObject({ logprobs: 4 });
      expect(some.body.choices[0].logprobs).not.toBeNull();
    }
    expect((await optionsOf(CHAT, { ...chat, n_probs: 4, logprobs: false })).body.error.param).toBe('n_probs');
    expect((await optionsOf(COMPLETION, { ...completion, n_probs: 4, logprobs: 5 })).status).toBe(400);
  });

  test('include_stop_str_in_output ends the answer with the stop text, streamed or not', async () => {
    const { url } = await listen(scriptedModel({ length: 2, stopString: 'END' }));
    for (const stream of [false, true]) {
      const text = async (path: string, more: object) =>
        JSON.stringify((await post(url + path, { ...more, max_tokens: 5, stop: 'END', stream })).body);
      for (const [path, base] of BODIES) {
        expect(await text(path, base)).not.toContain('END');
        expect(await text(path, { ...base, include_stop_str_in_output: true })).toContain('END');
      }
    }
  });

  test('add_special_tokens', async () => {
    const { given } = await optionsOf(COMPLETION, { ...completion, add_special_tokens: false });
    expect(given).toEqual({ addSpecial: false });
    expect((await optionsOf(CHAT, { ...chat, add_special_tokens: false })).status).toBe(200);
    expect((await optionsOf(CHAT, { ...chat, add_special_tokens: true })).body.error.param).toBe('add_special_tokens');
  });

  test('truncate_prompt_tokens keeps the end of a prompt', async () => {
    const prompt = async (path: string, body: object) =>
      String.fromCharCode(...((await optionsOf(path, body)).prompt ?? []));
    const long = { messages: [{ role: 'user', content: 'abcdef' }], max_tokens: 1 };
    expect(await prompt(CHAT, { ...long, truncate_prompt_tokens: 2 })).toBe('ef');
    expect(await prompt(COMPLETION, { ...completion, prompt: 'abcdef', truncate_prompt_tokens: 9 })).toBe('abcdef');
    const whole = await prompt(COMPLETION, { prompt: 'a'.repeat(5000), max_tokens: 96, truncate_prompt_tokens: -1 });
    expect(whole).toHaveLength(4000);
    const none = await optionsOf(CHAT, { ...long, truncate_prompt_tokens: 0 });
    expect(none.body.error.param).toBe('truncate_prompt_tokens');
  });

  test('variables of the template: any JSON, and those that are null are not there', async () => {
    const kwargs = { a: 'text', b: 1.5, c: true, d: null, e: { f: [null, 'x'] }, g: [], constructor: 1, toString: 'x' };
    const { given } = await optionsOf(CHAT, { ...chat, chat_template_kwargs: kwargs });
    const { d: _, ...there } = kwargs;
    expect(given).toEqual({ templateVariables: there });
    const named = { reasoning_effort: 'low', enable_thinking: false };
    expect((await optionsOf(CHAT, { ...chat, ...named })).given).toEqual({ templateVariables: named });
    const both = { ...chat, ...named, chat_template_kwargs: { enable_thinking: true, reasoning_effort: null } };
    expect((await optionsOf(CHAT, both)).given).toEqual({
      templateVariables: { reasoning_effort: 'low', enable_thinking: true },
    });
    expect((await optionsOf(CHAT, { ...chat, add_generation_prompt: false })).given).toMatchObject({
      addGenerationPrompt: false,
    });
    for (const name of ['messages', 'tools']) {
      const { body } = await optionsOf(CHAT, { ...chat, chat_template_kwargs: { [name]: [] } });
      expect(body.error.param).toBe(`chat_template_kwargs.${name}`);
    }
    expect((await optionsOf(CHAT, { ...chat, chat_template_kwargs: 'x' })).status).toBe(400);
    expect((await optionsOf(COMPLETION, { ...completion, reasoning_effort: 'low' })).status).toBe(400);
  });

  test('variables and documents keep what JSON.parse loses', async () => {
    const model = scriptedModel({ showsDocuments: true });
    const { url } = await listen(model);
    const kwargs = '{"x":{"10":1.0,"2":[12345678901234567890,1e2]},"7":0.50,"a":1.0}';
    const documents = '[{"2":-0.0,"1":"t"}]';
    const messages = JSON.stringify(chat.messages);
    const { status } = await post(
      url + CHAT,
      `{"messages":${messages},"max_tokens":1,"chat_template_kwargs":${kwargs},"documents":${documents}}`,
    );
    expect(status).toBe(200);
    const { templateVariables } = model.rendered[0] as TemplateOptions;
    const shown = (value: unknown) => templateJson(value, (text) => text);
    expect(shown(templateVariables?.x)).toBe('{"10":1.0,"2":[12345678901234567890,1e2]}');
    expect(shown(templateVariables?.a)).toBe('1.0');
    expect(shown(templateVariables?.documents)).toBe(documents);
  });

  test('documents are refused where the prompt does not show them', async () => {
    const documents = [{ title: 'a', text: 'b' }];
    const refused = await optionsOf(CHAT, { ...chat, documents });
    expect(refused.body.error).toMatchObject({ param: 'documents', code: 'unsupported_parameter' });
    expect((await optionsOf(CHAT, { ...chat, documents: [] })).status).toBe(200);
    const { url } = await listen(scriptedModel({ showsDocuments: true }));
    expect((await post(url + CHAT, { ...chat, documents })).status).toBe(200);
  });
});

describe('top_logprobs of completions', () => {
  const token = (id: number, text: string | number[], logprob: number) => {
    const bytes = typeof text === 'string' ? new TextEncoder().encode(text) : Uint8Array.from(text);
    return { token: id, text: new TextDecoder().decode(bytes), bytes, logprob };
  };
  type Token = ReturnType<typeof token>;
  const piece = (chosen: Token, top: Token[]) => ({ ...chosen, topLogprobs: top });
  const topOf = (chosen: Token, top: Token[]) => {
    const { tokens, token_logprobs, top_logprobs } = completionLogprobs([piece(chosen, top)], 0);
    expect(top_logprobs[0]![tokens[0]!]).toBe(token_logprobs[0]);
    return top_logprobs[0];
  };
  const [a, b, c] = [token(1, 'a', -0.1), token(2, 'b', -3), token(3, 'c', -9)] as const;

  test('have the chosen token always', () => {
    expect(topOf(a, [a, b])).toEqual({ a: -0.1, b: -3 });
    expect(topOf(c, [a, b])).toEqual({ a: -0.1, b: -3, c: -9 });
    expect(topOf(c, [])).toEqual({ c: -9 });
    expect(topOf(token(9, 'z', Number.NEGATIVE_INFINITY), [a])).toEqual({ a: -0.1, z: -9999 });
  });

  test('name what is no text by its bytes', () => {
    const [one, other] = [token(4, [0xa9], -0.1), token(5, [0xa8], -5)];
    expect(topOf(one, [one, other])).toEqual({ 'bytes:\\xa9': -0.1, 'bytes:\\xa8': -5 });
    const part = token(6, [0x20, 0xe2, 0x80], -1);
    expect(topOf(part, [])).toEqual({ 'bytes: \\xe2\\x80': -1 });
    expect(topOf(token(7, 'é', -1), [])).toEqual({ é: -1 });
    expect(topOf(token(8, '\ufffd', -1), [one])).toEqual({ '\ufffd': -1, 'bytes:\\xa9': -0.1 });
  });

  test('merge no two tokens of the same text', () => {
    const again = token(17, 'a', -2);
    const third = token(18, 'a', -4);
    expect(topOf(a, [a, again, third])).toEqual({ a: -0.1, 'token_id:17': -2, 'token_id:18': -4 });
    expect(topOf(again, [a, b])).toEqual({ a: -2, 'token_id:1': -0.1, b: -3 });
    expect(topOf(b, [a, again])).toEqual({ a: -0.1, 'token_id:17': -2, b: -3 });
    const proto = token(19, '__proto__', -1);
    expect(Object.entries(topOf(proto, [a])!)).toEqual([
      ['a', -0.1],
      ['__proto__', -1],
    ]);
  });

  test('of chats are a list: the most probable tokens, none left out, none added', () => {
    const [one, other] = [token(4, [0xa9], -0.1), token(5, [0xa8], -5)];
    const { content } = chatLogprobs([piece(c, [one, other])]);
    expect(content).toEqual([
      {
        ...{ token: 'c', logprob: -9, bytes: [99] },
        top_logprobs: [
          { token: '\\xa9', logprob: -0.1, bytes: [0xa9] },
          { token: '\\xa8', logprob: -5, bytes: [0xa8] },
        ],
      },
    ]);
  });
});
