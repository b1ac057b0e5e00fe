/** Tool calls end to end: OpenAI's own client, chat templates, and models that write what each family writes. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import OpenAI from 'openai';
import { describe, expect, test } from 'vitest';
import { closeWrittenModels, type WrittenModel, type WrittenModelOptions, writtenModel } from '../llm/written_model.js';
import { ROOT } from '../support/artifacts.js';
import { closeServers, listen, post } from './support.js';

closeServers();
closeWrittenModels();

interface Families {
  readonly families: Readonly<Record<string, { readonly template: string }>>;
}
const { families }: Families = JSON.parse(readFileSync(join(ROOT, 'test/fixtures/jinja/templates.json'), 'utf8'));
/** What this family leaves out of what is typical. */
const SHOWS_TOOLS = '{% if tools %}{{ tools | tojson }}{% endif %}';
const templateOf = (family: string) => families[family]!.template;

interface Family extends Omit<WrittenModelOptions, 'template'> {
  readonly family: string;
  /** Calls get_weather for Paris. */
  readonly call: string;
  /** Two calls at once, where its models make those: get_weather for Paris and for Rome. */
  readonly two?: string;
  readonly answer: string;
  /** How the history has the call. */
  readonly shown: string;
  readonly reasoning?: string;
}

const hermes = (city: string) => `<tool_call>\n{"name": "get_weather", "arguments": {"city": "${city}"}}\n</tool_call>`;
const xml = (city: string) =>
  `<tool_call>\n<function=get_weather>\n<parameter=city>\n${city}\n</parameter>\n</function>\n</tool_call>`;
const glm = (city: string) =>
  `\n<tool_call>get_weather\n<arg_key>city</arg_key>\n<arg_value>${city}</arg_value>\n</tool_call>`;
const named = (city: string) => `{"name": "get_weather", "arguments": {"city": "${city}"}}`;
const ANSWER = 'It is 5 degrees in Paris.';

const FAMILIES: readonly Family[] = [
  {
    family: 'qwen-2.5',
    visible: ['<tool_call>', '</tool_call>'],
    call: hermes('Paris'),
    two: `${hermes('Paris')}\n${hermes('Rome')}`,
    answer: ANSWER,
    shown: hermes('Paris'),
  },
  {
    family: 'qwen-3',
    visible: ['<think>', '</think>'],
    call: `<think>\nHm.\n</think>\n\n${hermes('Paris')}`,
    two: `<think>\nHm.\n</think>\n\n${hermes('Paris')}\n${hermes('Rome')}`,
    answer: `<think>\nHm.\n</think>\n\n${ANSWER}`,
    shown: hermes('Paris'),
    reasoning: 'Hm.',
  },
  {
    family: 'hermes-2-pro',
    control: ['<tool_call>', '</tool_call>'],
    call: hermes('Paris'),
    answer: ANSWER,
    shown: '<tool_call>{"arguments": {"city": "Paris"}, "name": "get_weather"}</tool_call>',
  },
  {
    family: 'qwen-3-coder',
    call: xml('Paris'),
    two: `${xml('Paris')}\n${xml('Rome')}`,
    answer: ANSWER,
    shown: '<function=get_weather>\n<parameter=city>\nParis\n</parameter>\n',
  },
  {
    family: 'glm-4.5',
    control: [
      '<think>',
      '</think>',
      '<tool_call>',
      '</tool_call>',
      '<arg_key>',
      '</arg_key>',
      '<arg_value>',
      '</arg_value>',
    ],
    call: `\n<think>Hm.</think>${glm('Paris')}`,
    two: `\n<think>Hm.</think>${glm('Paris')}${glm('Rome')}`,
    answer: `\n<think>Hm.</think>\n${ANSWER}`,
    shown: `<tool_call>get_weather\n<arg_key>city</arg_key>\n<arg_value>Paris</arg_value>`,
    reasoning: 'Hm.',
  },
  {
    family: 'mistral-v3',
    control: ['[TOOL_CALLS]'],
    call: `[TOOL_CALLS] [${named('Paris')}]`,
    two: `[TOOL_CALLS] [${named('Paris')}, ${named('Rome')}]`,
    answer: ANSWER,
    shown: '[TOOL_CALLS] [{"name": "get_weather", "arguments": {"city": "Paris"}, "id": "',
  },
  {
    family: 'mistral-v3',
    toolFormat: 'mistral',
    control: ['[TOOL_CALLS]', '[ARGS]'],
    call: '[TOOL_CALLS]get_weather[ARGS]{"city": "Paris"}',
    two: '[TOOL_CALLS]get_weather[ARGS]{"city": "Paris"}[TOOL_CALLS]get_weather[ARGS]{"city": "Rome"}',
    answer: ANSWER,
    shown: '"arguments": {"city": "Paris"}',
  },
  {
    family: 'llama-3.1',
    control: ['<|python_tag|>', '<|eot_id|>'],
    call: '{"name": "get_weather", "parameters": {"city": "Paris"}}',
    answer: ANSWER,
    shown: '{"name": "get_weather", "parameters": {"city": "Paris"}}<|eot_id|>',
  },
  {
    family: 'llama-3.1',
    control: ['<|python_tag|>'],
    call: '<|python_tag|>{"name": "get_weather", "parameters": {"city": "Paris"}}',
    answer: ANSWER,
    shown: '{"name": "get_weather", "parameters": {"city": "Paris"}}',
  },
  {
    family: 'harmony',
    control: ['<|start|>', '<|end|>', '<|channel|>', '<|message|>', '<|constrain|>', '<|call|>', '<|return|>'],
    call: '<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>commentary to=functions.get_weather <|constrain|>json<|message|>{"city": "Paris"}<|call|>',
    answer: `<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>${ANSWER}<|return|>`,
    shown: 'to=functions.get_weather<|channel|>commentary json<|message|>{"city": "Paris"}<|call|>',
    reasoning: 'Hm.',
  },
];

const TOOL = {
  type: 'function' as const,
  function: {
    name: 'get_weather',
    description: 'The weather of a city.',
    parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
  },
};
const QUESTION = [{ role: 'user' as const, content: 'Weather in Paris?' }];
const ask = { model: 'written', messages: [...QUESTION], tools: [TOOL] };

async function serve({ family, ...options }: Family): Promise<WrittenModel & { client: OpenAI; url: string }> {
  const written = await writtenModel({
    template: family === 'glm-4.5' ? `${SHOWS_TOOLS}${templateOf(family)}` : templateOf(family),
    ...options,
  });
  const { url } = await listen(written.model);
  return { ...written, url, client: new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 0 }) };
}

describe.each(FAMILIES.map((one) => [`${one.family}: ${one.call.slice(0, 40).replaceAll('\n', ' ')}`, one] as const))(
  '%s',
  (_, family) => {
    test('a call is taken out of the answer', async () => {
      const { client, says } = await serve(family);
      says.push(family.call);
      const { choices, usage } = await client.chat.completions.create(ask);
      expect(choices[0]).toMatchObject({
        finish_reason: 'tool_calls',
        message: {
          role: 'assistant',
          content: null,
          ...(family.reasoning && { reasoning_content: family.reasoning, reasoning: family.reasoning }),
          tool_calls: [{ type: 'function', function: { name: 'get_weather', arguments: expect.any(String) } }],
        },
      });
      const [call] = choices[0]!.message.tool_calls!;
      expect(call?.type === 'function' && JSON.parse(call.function.arguments)).toEqual({ city: 'Paris' });
      expect(call!.id).toMatch(/^[A-Za-z0-9]{9}$/);
      expect(usage!.completion_tokens_details !== undefined).toBe(family.reasoning !== undefined);
    });

    test('streams as it does whole', async () => {
      const { client, says } = await serve(family);
      for (const written of [family.call, family.answer, ...(family.two ? [family.two] : [])]) {
        says.push(written, written);
        const [whole] = (await client.chat.completions.create(ask)).choices;
        const runner = client.chat.completions.stream(ask);
        const pieces: string[] = [];
        let reasoning = '';
        runner.on('chunk', ({ choices }) => {
          const { delta } = choices[0]!;
          reasoning += (delta as { reasoning_content?: string }).reasoning_content ?? '';
          for (const call of delta.tool_calls ?? []) if (call.id === undefined) pieces.push(call.function!.arguments!);
        });
        const [streamed] = (await runner.finalChatCompletion()).choices;
        expect(streamed!.finish_reason).toBe(whole!.finish_reason);
        expect(streamed!.message.content || null).toBe(whole!.message.content);
        const calls = ({ message }: OpenAI.ChatCompletion.Choice) =>
          message.tool_calls?.map((call) => call.type === 'function' && [call.function.name, call.function.arguments]);
        expect(calls(streamed!)).toEqual(calls(whole!));
        expect(reasoning).toBe(family.reasoning ?? '');
        if (written === family.call) expect(pieces.length).toBeGreaterThan(3); // arguments come as they are written
        if (written === family.two) expect(calls(whole!)).toHaveLength(2);
      }
    });

    test.each([false, true])("OpenAI's loop ends (streamed: %s)", async (stream) => {
      const { client, says, prompts } = await serve(family);
      says.push(family.call, family.answer);
      const seen: unknown[] = [];
      const tool = {
        ...TOOL,
        function: {
          ...TOOL.function,
          parse: JSON.parse,
          function: (given: object) => {
            seen.push(given);
            return '{"degrees": 5}';
          },
        },
      };
      const body = { ...ask, tools: [tool] };
      const runner = stream
        ? client.chat.completions.runTools({ ...body, stream: true } as never)
        : client.chat.completions.runTools(body as never);
      expect(await (runner as { finalContent(): Promise<string> }).finalContent()).toBe(ANSWER);
      expect(seen).toEqual([{ city: 'Paris' }]);
      expect(says).toEqual([]);
      expect(prompts[0]).toContain('get_weather');
      const [, after] = prompts[1]!.split('Weather in Paris?');
      expect(after).toContain(family.shown);
      expect(after!.replaceAll('\\', '')).toContain('{"degrees": 5}');
    });

    test('none: the model is told of no tools, and what it writes is text', async () => {
      const { url, says, prompts } = await serve(family);
      says.push(family.answer);
      const { body } = await post(`${url}/v1/chat/completions`, { ...ask, tool_choice: 'none' });
      expect(body.choices[0]).toMatchObject({ finish_reason: 'stop', message: { content: ANSWER } });
      expect(prompts[0]).not.toContain('get_weather');
    });
  },
);

const [qwen] = FAMILIES;
const completions = '/v1/chat/completions';

describe('what a client may ask for', () => {
  const two = `${hermes('Paris')}\n${hermes('Rome')}`;

  test('no parallel calls: the answer ends with the first', async () => {
    const { url, says } = await serve(qwen!);
    says.push(two, two);
    const [choice] = (await post(url + completions, { ...ask, parallel_tool_calls: false })).body.choices;
    expect(choice.message.tool_calls).toHaveLength(1);
    expect(choice.finish_reason).toBe('tool_calls');
    const both = (await post(url + completions, { ...ask, parallel_tool_calls: true })).body.choices[0];
    expect(both.message.tool_calls).toHaveLength(2);
  });

  test('a template that shows one call alone: the same', async () => {
    const call = '{"name": "get_weather", "parameters": {"city": "Paris"}}';
    const { url, says } = await serve({ ...qwen!, family: 'llama-3.1' });
    says.push(`${call}; ${call}`);
    expect((await post(url + completions, ask)).body.choices[0].message.tool_calls).toHaveLength(1);
  });

  test('calls as text', async () => {
    const { url, says } = await serve(qwen!);
    says.push(two);
    const [choice] = (await post(url + completions, { ...ask, parse_tool_calls: false })).body.choices;
    expect(choice).toMatchObject({ finish_reason: 'stop', message: { content: two } });
    const plain = await serve({ ...qwen!, toolFormat: 'none' });
    plain.says.push(two);
    expect((await post(plain.url + completions, ask)).body.choices[0].message.content).toBe(two);
  });

  test('several choices, each with its calls', async () => {
    const { client, says } = await serve(qwen!);
    says.push(two);
    const { choices } = await client.chat.completions.create({ ...ask, n: 3 });
    for (const { message } of choices) expect(message.tool_calls).toHaveLength(2);
    expect(new Set(choices.flatMap(({ message }) => message.tool_calls!.map(({ id }) => id))).size).toBe(6);
  });

  test('an answer that is cut off says so', async () => {
    const { client, says } = await serve(qwen!);
    says.push(hermes('Paris'));
    const { choices } = await client.chat.completions.create({ ...ask, max_tokens: 50 });
    expect(choices[0]!.finish_reason).toBe('length');
    const [call] = choices[0]!.message.tool_calls!;
    expect(call?.type === 'function' && '{"city": "Paris"}'.startsWith(call.function.arguments)).toBe(true);
  });

  test('log probabilities of all tokens, those of calls too', async () => {
    const { client, says } = await serve(qwen!);
    says.push(hermes('Paris'), hermes('Paris'));
    const { choices, usage } = await client.chat.completions.create({ ...ask, logprobs: true });
    expect(choices[0]!.logprobs!.content).toHaveLength(usage!.completion_tokens);
    let streamed = 0;
    for await (const chunk of await client.chat.completions.create({ ...ask, logprobs: true, stream: true }))
      streamed += chunk.choices[0]?.logprobs?.content?.length ?? 0;
    expect(streamed).toBe(usage!.completion_tokens);
  });

  test('stop strings count in calls, too', async () => {
    const { client, says } = await serve(qwen!);
    says.push(hermes('Paris'));
    const { choices } = await client.chat.completions.create({ ...ask, stop: ['Par'] });
    const [call] = choices[0]!.message.tool_calls!;
    expect(call?.type === 'function' && call.function.arguments).toBe('{"city": "');
  });
});

describe('what is refused', () => {
  const refused = async (more: object, options: Partial<Family> = {}) => {
    const { url } = await serve({ ...qwen!, ...options });
    const { status, body } = await post(url + completions, { ...ask, ...more });
    return { status, ...body.error };
  };

  test.each([
    ['required', 'required'],
    ['a named function', { type: 'function', function: { name: 'get_weather' } }],
    ['some of the tools', { type: 'allowed_tools', allowed_tools: { mode: 'auto', tools: [] } }],
  ])('a choice that cannot be kept to: %s', async (_, choice) => {
    const error = await refused({ tool_choice: choice });
    expect(error).toMatchObject({ status: 400, param: 'tool_choice', code: 'unsupported_parameter' });
  });

  test.each([
    ['tools[0].type', { tools: [{ ...TOOL, type: 'custom' }] }],
    ['tools[0].function', { tools: [{ type: 'function' }] }],
    ['tools[0].function.name', { tools: [{ type: 'function', function: {} }] }],
    ['tools[0].function.name', { tools: [{ type: 'function', function: { name: '' } }] }],
    ['tools[0].function.parameters', { tools: [{ type: 'function', function: { name: 'f', parameters: [] } }] }],
    ['tool_choice', { tool_choice: 'sometimes' }],
    ['tool_choice', { tools: [], tool_choice: 'required' }],
    ['functions', { functions: [{ name: 'f' }] }],
    [
      'messages[0].tool_calls[0].function.arguments',
      {
        messages: [
          { role: 'assistant', tool_calls: [{ id: 'a', type: 'function', function: { name: 'f', arguments: {} } }] },
        ],
      },
    ],
    ['messages[0].tool_call_id', { messages: [{ role: 'tool', content: '5' }] }],
    ['messages[0].content', { messages: [{ role: 'tool', tool_call_id: 'a' }] }],
    ['messages[0].function_call', { messages: [{ role: 'assistant', function_call: { name: 'f', arguments: '' } }] }],
  ])('%s', async (param, more) => {
    expect(await refused(more)).toMatchObject({ status: 400, param });
  });

  test('tools of which the template shows nothing', async () => {
    const error = await refused({}, { family: 'chatml' });
    expect(error).toMatchObject({ status: 400, param: 'tools' });
    expect(error.message).toMatch(/chat template shows the model nothing of tools; leave them out/);
    expect(error.message).not.toContain('.gguf');
  });

  test('calls in the history of which the template shows nothing', async () => {
    const call = { id: 'a', type: 'function', function: { name: 'f', arguments: '{}' } };
    const messages = [...QUESTION, { role: 'assistant', content: null, tool_calls: [call] }];
    const error = await refused({ tools: [], messages }, { family: 'chatml' });
    expect(error).toMatchObject({ status: 400, param: 'messages', message: expect.stringContaining('tool_calls') });
  });

  test('a format that is not known', async () => {
    const error = await refused({}, { family: 'kimi-k2' });
    expect(error).toMatchObject({
      status: 400,
      param: 'tools',
      message: expect.stringMatching(/format that is not known/),
    });
  });
});

describe('history', () => {
  const call = {
    id: 'call_of_another_server',
    type: 'function',
    function: { name: 'get_weather', arguments: '{"10": 1.0, "2": "é"}' },
  };
  const result = { role: 'tool', tool_call_id: call.id, content: '5' };
  const messages = [...QUESTION, { role: 'assistant', content: null, tool_calls: [call] }, result];

  test('arguments as the template wants them, as they were written', async () => {
    for (const [family, shown] of [
      ['qwen-2.5', '{"10": 1.0, "2": "é"}'],
      ['qwen-3-coder', '<parameter=10>\n1.0\n</parameter>\n<parameter=2>\né\n'],
      ['deepseek-v3', '{"10": 1.0, "2": "é"}'],
    ] as const) {
      const { url, prompts } = await serve({ ...qwen!, family });
      expect((await post(url + completions, { messages })).status).toBe(200);
      expect(prompts[0]).toContain(shown);
    }
  });

  test('ids as the template wants them, the same each time', async () => {
    const { url, prompts } = await serve({ ...qwen!, family: 'mistral-v3' });
    for (const _ of [1, 2]) expect((await post(url + completions, { messages })).status).toBe(200);
    const [, id] = /"id": "([0-9a-f]{9})"/.exec(prompts[0]!)!;
    expect(prompts[0]).toContain(`"call_id": "${id}"`);
    expect(prompts[1]).toBe(prompts[0]);
  });

  test('arguments that are no JSON, which a model may have written', async () => {
    const broken = { ...call, function: { ...call.function, arguments: '{"city": "Par' } };
    const { url, prompts } = await serve(qwen!);
    const history = [...QUESTION, { role: 'assistant', content: null, tool_calls: [broken] }, result];
    expect((await post(url + completions, { messages: history })).status).toBe(200);
    expect(prompts[0]).toContain('Par');
  });
});
