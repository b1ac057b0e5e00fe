/** What becomes of messages before a template gets them, and what is refused because the template would leave it out. */
import { describe, expect, it } from 'vitest';
import type { Message } from '../../runtime/index.js';
import { ChatPrompt } from '../../runtime/llm/chat_prompt.js';
import { checkTemplateOptions } from '../../runtime/llm/messages.js';
import { ChatTemplate } from '../../runtime/text/chat_template.js';
import { Tokenizer } from '../../runtime/text/tokenizer.js';
import { sentencePiece } from '../text/vocabularies.js';

const PLAIN = '{% for m in messages %}[{{ m.role }}:{{ m.content }}]{% endfor %}';
const TOOLS = `{% if tools %}{{ tools | length }} tools {% endif %}{% for m in messages %}[{{ m.role }}:
{%- if m.role == 'tool' %}result {{ m.content }}{% elif m.tool_calls %}{{ 'none' if m.content is not defined or m.content is none else m.content }}
{%- for call in m.tool_calls %} call {{ call.function.name }}{% endfor %}{% else %}{{ m.content }}{% endif %}]{% endfor %}`;

function prompt(source: string) {
  const file = sentencePiece([['<|im_end|>', 0, 'control'], ['▁']], {});
  const made = new ChatPrompt(new ChatTemplate(file, new Tokenizer(file), { source }), 'm.gguf');
  return async (messages: unknown, options: object = {}) =>
    made.make('render', made.check(messages), checkTemplateOptions(options));
}

const user = (content: unknown): Message => ({ role: 'user', content });
const text = (text: string) => ({ type: 'text', text });
const CALL = { role: 'assistant', tool_calls: [{ type: 'function', function: { name: 'add', arguments: '{}' } }] };
const TOOL = { type: 'function', function: { name: 'add', parameters: {} } };

describe('contents', () => {
  const of = async (message: object) => prompt(PLAIN)([message]);
  it.each([
    ['a text', user('Hi'), '[user:Hi]'],
    ['one part', user([text('Hi')]), '[user:Hi]'],
    ['parts, as lines', user([text('Hi'), text('there'), text('')]), '[user:Hi\nthere\n]'],
    ['parts of a system message', { role: 'system', content: [text('a'), text('b')] }, '[system:a\nb]'],
    ['parts of an answer', { role: 'assistant', content: [text('a'), text('b')] }, '[assistant:a\nb]'],
    ['an answer without one', { role: 'assistant' }, '[assistant:]'],
    ['an answer with null', { role: 'assistant', content: null }, '[assistant:]'],
    ["OpenAI's newer name for system", { role: 'developer', content: 'a' }, '[system:a]'],
  ])('%s', async (_, message, expected) => expect(await of(message)).toBe(expected));

  const image = { type: 'image_url', image_url: { url: 'https://example.com/a.png' } };
  it.each([
    ['a number', user(7), /^messages\[0\]\.content must be a text, or a list of parts .*; got 7$/],
    ['an object', user({ text: 'a' }), /^messages\[0\]\.content must be/],
    ['no parts', user([]), /^messages\[0\]\.content must be .*got \[\]$/],
    ['an image', user([text('a'), image]), /^messages\[0\]\.content\[1\] must be a part .*image_url/],
    ['a text as a part', user(['a']), /^messages\[0\]\.content\[0\] must be a part/],
    ['a part without a text', user([{ type: 'text' }]), /^messages\[0\]\.content\[0\] must be a part/],
    ['a part without a type', user([{ text: 'a' }]), /^messages\[0\]\.content\[0\] must be a part/],
    ['null', user(null), /^messages\[0\]\.content must be/],
    ['nothing', { role: 'user' }, /^messages\[0\]\.content must be/],
    ['a result without one', { role: 'tool' }, /^messages\[0\]\.content must be/],
  ])('%s is refused', async (_, message, expected) => {
    await expect(of(message)).rejects.toMatchObject({
      statusName: 'INVALID_ARGUMENT',
      message: expect.stringMatching(expected),
    });
  });
});

describe('roles', () => {
  it.each(['usr', 'User', 'constructor', 'document', ''])('%j is refused', async (role) => {
    await expect(prompt(`${PLAIN}{{ '' }}`)([user('a'), { role, content: 'x' }])).rejects.toMatchObject({
      statusName: 'INVALID_ARGUMENT',
      message: expect.stringMatching(
        /^messages\[1\]\.role must be system, .* or a role that the chat template names; got/,
      ),
    });
  });

  it('one that the template names is not', async () => {
    const named = `${PLAIN}{% if messages[0].role == "document" or messages[0].role == 'developer' %}!{% endif %}`;
    expect(await prompt(named)([{ role: 'document', content: 'x' }])).toBe('[document:x]!');
    expect(await prompt(named)([{ role: 'developer', content: 'x' }])).toBe('[developer:x]!');
  });
});

describe('what a template leaves out', () => {
  const ignored = (name: RegExp) => ({ statusName: 'CHAT_TEMPLATE', message: expect.stringMatching(name) });

  it('tools', async () => {
    const refused = ignored(/^m\.gguf: its chat template shows the model nothing of options\.tools; leave them out/);
    await expect(prompt(PLAIN)([user('a')], { tools: [TOOL] })).rejects.toMatchObject(refused);
    const uses = prompt(TOOLS);
    expect(await uses([user('a')], { tools: [TOOL] })).toBe('1 tools [user:a]');
    expect(await uses([user('a')], { tools: [] })).toBe('[user:a]');
    expect(await prompt(PLAIN)([user('a')], { tools: [] })).toBe('[user:a]');
  });

  it('calls', async () => {
    await expect(prompt(PLAIN)([user('a'), CALL])).rejects.toMatchObject(ignored(/tool_calls of messages/));
    const uses = prompt(TOOLS);
    expect(await uses([user('a'), CALL])).toBe('[user:a][assistant:none call add]');
    expect(await uses([user('a'), { ...CALL, content: null }])).toBe('[user:a][assistant:none call add]');
    expect(await uses([user('a'), { ...CALL, content: [text('b'), text('c')] }])).toBe(
      '[user:a][assistant:b\nc call add]',
    );
    expect(await prompt(PLAIN)([user('a'), { role: 'assistant', content: 'b', tool_calls: [] }])).toBe(
      '[user:a][assistant:b]',
    );
  });

  it('results', async () => {
    const skips =
      "{% for m in messages if m.role != 'tool' %}[{{ m.role }}:{{ m.content }}{{ m.tool_calls }}]{% endfor %}";
    const result = { role: 'tool', content: '7', tool_call_id: 'a' };
    await expect(prompt(skips)([user('a'), CALL, result])).rejects.toMatchObject(ignored(/with the role tool/));
    expect(await prompt(TOOLS)([user('a'), CALL, result])).toBe('[user:a][assistant:none call add][tool:result 7]');
    expect(await prompt(PLAIN)([user('a'), result])).toBe('[user:a][tool:7]');
  });

  it('nothing is said where the template cannot do without', async () => {
    const needs = `{% if not tools %}{{ raise_exception('no tools') }}{% endif %}${PLAIN}`;
    expect(await prompt(needs)([user('a')], { tools: [TOOL] })).toBe('[user:a]');
    await expect(prompt(needs)([user('a')])).rejects.toMatchObject(ignored(/no tools/));
  });
});
