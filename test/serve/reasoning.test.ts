/** What a model thinks, in answers and streams: apart from the text, in it, or left out. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { closeWrittenModels, type WrittenModelOptions, writtenModel } from '../llm/written_model.js';
import { ROOT } from '../support/artifacts.js';
import { closeServers, listen, post } from './support.js';

closeServers();
closeWrittenModels();

const { families } = JSON.parse(readFileSync(join(ROOT, 'test/fixtures/jinja/templates.json'), 'utf8'));
const QWEN: WrittenModelOptions = { template: families['qwen-3'].template };
const HARMONY: WrittenModelOptions = { template: families.harmony.template };
const QWEN_ANSWER = '<think>\nHm.\n</think>\n\nYes.';
const HARMONY_ANSWER = '<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>Yes.';

async function ask(options: WrittenModelOptions, says: string, more: object = {}) {
  const written = await writtenModel(options);
  const { url } = await listen(written.model);
  const request = { messages: [{ role: 'user', content: 'Well?' }], ...more };
  written.says.push(says, says);
  const { body } = await post(`${url}/v1/chat/completions`, request);
  const stream = await post(`${url}/v1/chat/completions`, { ...request, stream: true });
  const events = String(stream.body)
    .split('\n\n')
    .filter((event) => event.startsWith('data: {'));
  const deltas = events.map((event) => JSON.parse(event.slice(6)).choices[0].delta);
  const streamed = (field: string) => deltas.map((delta) => delta[field] ?? '').join('');
  const { role, refusal, ...message } = body.choices[0].message;
  expect(streamed('content')).toBe(message.content);
  expect(streamed('reasoning_content')).toBe(message.reasoning_content ?? '');
  expect(streamed('reasoning')).toBe(message.reasoning ?? '');
  return { message, usage: body.usage, prompts: written.prompts };
}

const apart = { content: 'Yes.', reasoning_content: 'Hm.', reasoning: 'Hm.' };

test.each([
  ['delimiters', QWEN, QWEN_ANSWER],
  ["gpt-oss's messages", HARMONY, HARMONY_ANSWER],
] as const)('%s: apart, in the text, or left out', async (_, model, says) => {
  const { message, usage } = await ask(model, says);
  expect(message).toEqual(apart);
  expect(usage.completion_tokens_details.reasoning_tokens).toBeGreaterThan(0);
  expect((await ask(model, says, { reasoning_format: 'deepseek' })).message).toEqual(apart);
  expect((await ask(model, says, { reasoning_format: 'none' })).message).toEqual({ content: says });
  expect((await ask(model, says, { include_reasoning: false })).message).toEqual({ content: 'Yes.' });
});

test('in the text beside calls, where a format has messages', async () => {
  const tools = [{ type: 'function', function: { name: 'now', description: '', parameters: { properties: {} } } }];
  const { message } = await ask(HARMONY, HARMONY_ANSWER, { reasoning_format: 'none', tools });
  expect(message).toEqual({ content: 'Hm.Yes.' });
});

test('none, where the model thinks nothing', async () => {
  const { message, usage } = await ask(QWEN, 'Yes.');
  expect(message).toEqual({ content: 'Yes.' });
  expect(usage.completion_tokens_details).toBeUndefined();
});

test('variables reach the template', async () => {
  const { prompts } = await ask(HARMONY, 'Yes.', { reasoning_effort: 'high' });
  expect(prompts[0]).toContain('Reasoning: high');
  for (const more of [{ enable_thinking: false }, { chat_template_kwargs: { enable_thinking: false } }])
    expect((await ask(QWEN, 'Yes.', more)).prompts[0]).toMatch(/<think>\n\n<\/think>\n\n$/);
});

test('of the history it is what the template shows of it, by either name', async () => {
  const question = { role: 'user', content: 'Well?' };
  const call = { id: 'a', type: 'function', function: { name: 'now', arguments: '{}' } };
  for (const name of ['reasoning_content', 'reasoning']) {
    const messages = [
      question,
      { role: 'assistant', tool_calls: [call], [name]: 'Hm.' },
      { role: 'tool', tool_call_id: 'a', content: '5' },
    ];
    const { prompts } = await ask(QWEN, 'Yes.', { messages });
    expect(prompts[0]).toContain('<think>\nHm.\n</think>');
  }
});

test('of an unknown format is refused', async () => {
  const { url } = await listen((await writtenModel(QWEN)).model);
  const body = { messages: [{ role: 'user', content: 'Well?' }], reasoning_format: 'other' };
  expect((await post(`${url}/v1/chat/completions`, body)).body.error.param).toBe('reasoning_format');
});
