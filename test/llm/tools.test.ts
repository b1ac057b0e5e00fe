/** Calls and reasoning in the API for programs. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ROOT } from '../support/artifacts.js';
import { collect, joined } from './support.js';
import { closeWrittenModels, writtenModel } from './written_model.js';

closeWrittenModels();

const { families } = JSON.parse(readFileSync(join(ROOT, 'test/fixtures/jinja/templates.json'), 'utf8'));
const QWEN: string = families['qwen-3'].template;
/** Opens the reasoning itself. */
const OPENS = QWEN.replace("{{- '<|im_start|>assistant\\n' }}", "{{- '<|im_start|>assistant\\n<think>\\n' }}");
const TOOLS = [{ type: 'function', function: { name: 'add', parameters: { properties: { a: { type: 'integer' } } } } }];
const call = (a: number) => `<tool_call>\n{"name": "add", "arguments": {"a": ${a}}}\n</tool_call>`;
const THOUGHT = '<think>\nHm. Well.\n</think>\n\n';

describe('a chat', () => {
  test('has reasoning and calls apart from the text, and keeps them', async () => {
    const { model, says, prompts } = await writtenModel({ template: QWEN });
    says.push(`${THOUGHT}Let me add.\n${call(1)}\n${call(2)}`, 'It is 3.');
    const chat = model.chat({ tools: TOOLS });
    const answer = chat.send('1 + 2?');
    const pieces = await collect(answer);
    const result = await answer.result;
    expect(result).toMatchObject({ text: 'Let me add.', reasoning: 'Hm. Well.', stopReason: 'eos' });
    expect(result.toolCalls!.map(({ type, function: called }) => ({ type, ...called }))).toEqual([
      { type: 'function', name: 'add', arguments: '{"a": 1}' },
      { type: 'function', name: 'add', arguments: '{"a": 2}' },
    ]);
    expect(joined(pieces)).toBe(result.text);
    expect(pieces.map(({ reasoning = '' }) => reasoning).join('')).toBe(result.reasoning);
    const deltas = pieces.flatMap(({ toolCalls = [] }) => toolCalls);
    expect([...new Set(deltas.map(({ index }) => index))]).toEqual([0, 1]);
    expect(deltas.filter(({ id }) => id !== undefined).map(({ id }) => id)).toEqual(
      result.toolCalls!.map(({ id }) => id),
    );
    expect(pieces).toHaveLength(result.completionTokens);
    expect(result.reasoningTokens).toBeGreaterThan(0);
    expect(result.reasoningTokens).toBeLessThan(result.completionTokens);

    const results = result.toolCalls!.map(({ id }) => ({ role: 'tool', tool_call_id: id, content: '3' }));
    expect((await chat.send(results).result).text).toBe('It is 3.');
    expect(chat.messages.map(({ role }) => role)).toEqual(['user', 'assistant', 'tool', 'tool', 'assistant']);
    expect(chat.messages[1]).toEqual({
      ...{ role: 'assistant', content: 'Let me add.', reasoning_content: 'Hm. Well.' },
      tool_calls: result.toolCalls,
    });
    expect(prompts[1]).toContain(`${THOUGHT}Let me add.\n${call(1)}\n${call(2)}<|im_end|>`);
  });

  test('an answer that was stopped while the model thought leaves the history as it was', async () => {
    const { model, says } = await writtenModel({ template: QWEN });
    says.push(`${THOUGHT}Yes.`);
    const chat = model.chat();
    for await (const { reasoning } of chat.send('Well?')) if (reasoning) break;
    expect(chat.messages).toEqual([]);
  });
});

describe('reasoning', () => {
  const answer = async (template: string, says: string, options: object = {}) => {
    const written = await writtenModel({ template, ...options });
    written.says.push(says);
    const { text, reasoning } = await written.model.generateChat([{ role: 'user', content: 'Well?' }]).result;
    return { text, reasoning };
  };

  test('between delimiters, whether or not they are control tokens', async () => {
    for (const options of [{}, { control: ['<think>', '</think>'] }, { visible: ['<think>', '</think>'] }])
      expect(await answer(QWEN, `${THOUGHT}Yes.`, options)).toEqual({ text: 'Yes.', reasoning: 'Hm. Well.' });
  });

  test('that the template begins', async () => {
    expect(OPENS).not.toBe(QWEN);
    expect(await answer(OPENS, 'Hm.\n</think>\n\nYes.')).toEqual({ text: 'Yes.', reasoning: 'Hm.' });
  });

  test('of a model whose template knows none is text', async () => {
    const plain = families.chatml.template;
    expect(await answer(plain, `${THOUGHT}Yes.`)).toEqual({ text: `${THOUGHT}Yes.` });
    const mistral = `${plain}{# [THINK] #}`;
    expect(await answer(mistral, '[THINK]Hm.[/THINK]Yes.', { control: ['[THINK]', '[/THINK]'] })).toEqual({
      text: 'Yes.',
      reasoning: 'Hm.',
    });
  });

  test('variables of the template', async () => {
    const { model, says, prompts } = await writtenModel({ template: QWEN });
    says.push('Yes.');
    const options = { templateVariables: { enable_thinking: false } };
    const { text } = await model.generateChat([{ role: 'user', content: 'Well?' }], options).result;
    expect(text).toBe('Yes.');
    expect(prompts[0]!.endsWith('<think>\n\n</think>\n\n')).toBe(true);
  });
});

test('a continued text is as it was written', async () => {
  const { model, says } = await writtenModel({ template: QWEN });
  says.push(THOUGHT + call(1));
  expect((await model.generate('Well?').result).text).toBe(THOUGHT + call(1));
});

test('tools whose calls cannot be read leave them in the text', async () => {
  const { model, says } = await writtenModel({ template: families['kimi-k2'].template });
  says.push(call(1));
  const { text, toolCalls } = await model.generateChat([{ role: 'user', content: 'Well?' }], { tools: TOOLS }).result;
  expect({ text, toolCalls }).toEqual({ text: call(1), toolCalls: undefined });
});
