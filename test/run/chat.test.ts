/** `realizar-run chat`: on a terminal of its own, and with lines from a pipe. Greedy, on the host target. */
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { beforeAll, describe, expect, test } from 'vitest';
import { buildAddon } from '../addon/support.js';
import { hostArtifact } from '../support/artifacts.js';
import { readGolden } from '../support/goldens.js';
import { onTerminal, type Step, storyteller, withInput } from './support.js';

const scratch = mkdtempSync(join(tmpdir(), 'realizar-chat-'));
const STORY = 'Tell me a story about a fox and a kite.';
const SUM = 'What is 3 plus 4?';
const [CTRL_C, CTRL_D] = ['\u0003', '\u0004'];

let folder: string;
beforeAll(async () => {
  buildAddon();
  folder = await storyteller('run-chat');
});

/** The token `>`. */
const GREATER = 32;

/** The lines of a terminal's output, as readline left them: each without what was drawn over. */
const plain = (output: string): string[] =>
  output.split('\n').map((line) => stripVTControlCharacters(line.split('\u001b[0J').at(-1)!).replaceAll('\r', ''));

/** A message after a prompt. */
const say = (message: string): Step => ({ expect: '> ', send: `${message}\r` });

describe('on a terminal', () => {
  test('Ctrl-C stops an answer and not the program; what follows is answered', async () => {
    const saved = join(scratch, 'stopped.json');
    const { code, output } = await onTerminal(
      [
        say(STORY),
        { expect: 'kite\\.\\s+\\w+ \\w+', send: CTRL_C },
        { expect: 'stopped', send: '' },
        say(SUM),
        { expect: '3 plus 4 is 7\\.', send: '' },
        say(`/save ${saved}`),
        { expect: '4 messages', send: '' },
        { expect: '> ', send: CTRL_D },
      ],
      ['chat', folder],
    );
    expect(code).toBe(0);
    expect(output).toContain('\u001b[1m> ');
    const messages = JSON.parse(readFileSync(saved, 'utf8'));
    expect(messages.map(({ role }: { role: string }) => role)).toEqual(['user', 'assistant', 'user', 'assistant']);
    expect(messages[0].content).toBe(STORY);
    expect(messages[1].content).toMatch(/^\w+ /); // what came of it
    expect(messages[3].content).toBe('3 plus 4 is 7.');
  });

  test('Ctrl-C drops what was typed; twice without it ends the program with 130', async () => {
    const { code, output } = await onTerminal(
      [
        { expect: '> ', send: 'What is 5' },
        { expect: 'What is 5', send: CTRL_C },
        { expect: '> ', send: `${SUM}\r` },
        { expect: '7\\.', send: '' },
        { expect: '> ', send: CTRL_C },
        { expect: 'once more.*> ', send: CTRL_C },
      ],
      ['chat', folder],
    );
    expect(code).toBe(130);
    expect(output).toContain('3 plus 4 is 7.');
  });

  test('what is typed during an answer is shown and sent after it, whole lines and the beginning of one', async () => {
    const typed = 'What is 2 plus 5?\rWhat is 1 plus 2?\rWhat is 5 plus';
    const { code, output } = await onTerminal(
      [
        say(SUM),
        { expect: 'plus 4\\?\\s+3', send: typed },
        { expect: '1 plus 2 is 3.*> What is 5 plus', send: ' 1?\r' },
        { expect: '5 plus 1 is', send: '' },
        { expect: '> ', send: CTRL_D },
      ],
      ['chat', folder],
      { NO_COLOR: '1' },
    );
    expect(code).toBe(0);
    const lines = plain(output).filter((line) => /plus/.test(line));
    expect(lines).toEqual([
      `> ${SUM}`,
      '3 plus 4 is 7.',
      '> What is 2 plus 5?',
      '2 plus 5 is 7.',
      '> What is 1 plus 2?',
      '1 plus 2 is 3.',
      '> What is 5 plus 1?',
      expect.stringMatching(/^5 plus 1 is /),
    ]);
  });

  test('an answer does not look like the prompt, and an empty one shows itself', async () => {
    const biases = ['--logit-bias', `${GREATER}=1000`, '-n', '3'];
    const { output } = await onTerminal(
      [say('Hi'), { expect: '>>>.*max-tokens', send: '' }, { expect: '> ', send: CTRL_D }],
      ['chat', folder, ...biases],
      { NO_COLOR: '1' },
    );
    expect(plain(output)).toContain(' >>>');
    const empty = await onTerminal(
      [say('Hi'), { expect: 'no text', send: '' }, { expect: '> ', send: CTRL_D }],
      ['chat', folder, '-n', '0'],
    );
    expect(empty.code).toBe(0);
  });

  test('commands, and their mistakes, which end nothing', async () => {
    const there = join(scratch, 'there.txt');
    writeFileSync(there, 'mine');
    const { code, output } = await onTerminal(
      [
        say('/help'),
        { expect: '/save FILE', send: '' },
        say('/frobnicate'),
        { expect: 'there is no /frobnicate', send: '' },
        say('/save'),
        { expect: 'needs the name', send: '' },
        say(`/save ${there}`),
        { expect: 'is there already', send: '' },
        say(SUM),
        { expect: 'is 7\\.', send: '' },
        say('/reset'),
        { expect: 'forgotten', send: '' },
        say(`/save ${join(scratch, 'empty.json')}`),
        { expect: '0 messages', send: '' },
        say('/exit'),
      ],
      ['chat', folder],
      { NO_COLOR: '1' },
    );
    expect(code).toBe(0);
    expect(output.split('\u001b').some((part) => /^\[\d*m/.test(part))).toBe(false);
    expect(readFileSync(there, 'utf8')).toBe('mine');
  });
});

describe('with lines from a pipe', () => {
  test('each is answered, and nothing else is printed', async () => {
    const exit = await withInput(`${SUM}\n\nWhat is 2 \\\nplus 5?`, ['chat', folder]);
    expect(exit).toEqual({ code: 0, stdout: expect.stringMatching(/^3 plus 4 is 7\.\n.*\n$/), stderr: '' });
  });

  test('a saved chat goes on, after a system message', async () => {
    const file = join(scratch, 'chat.json');
    const system = ['--system', 'You tell short stories.'];
    expect((await withInput(`${SUM}\n/save ${file}\n`, ['chat', folder, ...system])).code).toBe(0);
    const roles = () => JSON.parse(readFileSync(file, 'utf8')).map(({ role }: { role: string }) => role);
    expect(roles()).toEqual(['system', 'user', 'assistant']);
    const more = join(scratch, 'more.json');
    expect((await withInput(`${SUM}\n/save ${more}\n/reset\n`, ['chat', folder, '--load', file])).code).toBe(0);
    expect(JSON.parse(readFileSync(more, 'utf8'))).toHaveLength(5);
  });

  test("--chat-template is used instead of the file's, and checked first", async () => {
    const template = join(scratch, 'template.jinja');
    const saved = join(scratch, 'templated.json');
    // Asks the question itself, whatever was said.
    const source = `{{ '<|im_start|>user\\n${SUM}<|im_end|>\\n<|im_start|>assistant\\n' }}`;
    writeFileSync(template, source);
    const chat = ['chat', folder, '--chat-template'];
    expect(await withInput(`Hi\n/save ${saved}\n`, [...chat, template])).toEqual({
      code: 0,
      stdout: '3 plus 4 is 7.\n',
      stderr: '',
    });
    expect(await withInput(`${SUM}\n`, [...chat, 'chatml'])).toEqual({
      code: 0,
      stdout: '3 plus 4 is 7.\n',
      stderr: '',
    });
    writeFileSync(template, ' \n');
    for (const [file, problem] of [
      [join(scratch, 'none.jinja'), 'ENOENT'],
      [template, 'the file is empty'],
    ] as const) {
      const { code, stderr } = await withInput('Hi\n', [...chat, file]);
      expect(code).toBe(1);
      expect(stderr).toMatch(
        new RegExp(`^realizar-run: --chat-template ${file}: .*${problem}.*; expected chatml, or a file`),
      );
    }
  });

  test('--max-tokens holds for each answer', async () => {
    const { stdout } = await withInput(`${SUM}\n${SUM}\n`, ['chat', folder, '-n', '2']);
    expect(stdout).toBe('3 plus\n3 plus\n');
  });

  test.each([
    ['a mistaken command', '/frobnicate\n', /there is no \/frobnicate/],
    ['a file that cannot be written', '/save /nowhere/at/all.json\n', /not saved: .*nowhere/],
  ])('%s ends it with 1', async (_, input, message) => {
    const { code, stdout, stderr } = await withInput(`${input}${SUM}\n`, ['chat', folder]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(message);
  });

  test.each([
    ['hello', /JSON.*expected a list of messages/],
    ['{"role":"user","content":"x"}', /expected a list of messages/],
    ['[{"role":"bad"}]', /message 1 has no content; expected a list of messages/],
    ['[{"role":"user","content":"x"},{"role":"assistant","content":null}]', /message 2 has no content;/],
    ['[{"role":"user","content":"x"},{"content":"y"}]', /message 2 has no role;/],
    ['[{"role":"user","content":7}]', /message 1 has a content that is no text;/],
    ['[null]', /message 1 is no object;/],
  ])('what --load names must be a chat, not %s', async (content, message) => {
    const file = join(scratch, 'loaded.json');
    writeFileSync(file, content);
    const { code, stdout, stderr } = await withInput(`${SUM}\n`, ['chat', folder, '--load', file]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(message);
    expect(stderr.startsWith(`realizar-run: ${file}: `)).toBe(true);
  });
});

test('a model without a chat template is refused before anything is asked', async () => {
  const { model } = readGolden('llama-q8_0');
  const other = await hostArtifact('run-chat-none', model);
  const { code, stderr } = await withInput('Hello\n', ['chat', other]);
  expect(code).toBe(1);
  expect(stderr).toMatch(/^realizar-run: .*llama-q8_0\.gguf.* chat template|^realizar-run: .*vocabulary/);
});
