import { expect, test } from 'vitest';
import { ShownAnswer } from '../../runtime/run/chat/shown_answer.js';
import { TerminalText } from '../../runtime/run/terminal_text.js';

const printed = (besidePrompts: boolean, ...parts: string[]) => {
  const text = new TerminalText(besidePrompts);
  return parts.map((part) => text.push(part)).join('');
};

test.each([
  ['the whole text', ['> rm -rf /'], ' > rm -rf /'],
  ['a later line', ['Yes.\n> no\n>> no'], 'Yes.\n > no\n >> no'],
  ['a line that begins in another part', ['Yes.', '\n', '', '> no'], 'Yes.\n > no'],
  ['the middle of a line', ['a > b\na -> b'], 'a > b\na -> b'],
  ['a line that is written over', ['Yes.\r> no'], 'Yes.> no'],
])('> beside prompts: %s', (_, parts, expected) => expect(printed(true, ...parts)).toBe(expected));

test('> where there are none', () => expect(printed(false, '> a\n> b')).toBe('> a\n> b'));

test.each([
  ['what steers a terminal', '\u001b[2J\u0007\u0008\u009b1A\u007f', '\\u001b[2J\\u0007\\u0008\\u009b1A\\u007f'],
  ['what reorders', 'a\u202eb\u2066c', 'a\\u202eb\\u2066c'],
  ['other characters', 'naïve 👩‍👧 می‌خواهم\ttab\r\n', 'naïve 👩‍👧 می‌خواهم\ttab\n'],
])('%s', (_, text, expected) => expect(printed(false, text)).toBe(expected));

test('what a model thinks is dim, and apart from what it says', async () => {
  const written: string[] = [];
  const style = { bold: (text: string) => text, dim: (text: string) => `~${text}~` };
  const shown = new ShownAnswer(style, async (text, styled = (plain) => plain) => void written.push(styled(text)));
  const pieces = [{ reasoning: 'Hm.' }, { reasoning: ' Yes.' }, {}, { text: 'Hello' }, { text: ' there.\r\n> a' }];
  for (const piece of pieces) await shown.push({ text: '', token: 1, ...piece });
  expect(written).toEqual(['~Hm.~', '~ Yes.~', '\n\n', 'Hello', ' there.\n > a']);
});
