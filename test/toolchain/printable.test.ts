import { afterEach, describe, expect, it, vi } from 'vitest';
import { CompileError } from '../../runtime/common/errors.js';
import { exitCodeOf } from '../../runtime/common/exit.js';
import { printable, printableWriting, shorten } from '../../runtime/common/printable.js';
import { exitCodeOf as exitCodeOfRun, RunError } from '../../runtime/run/exit.js';

const ESCAPES = [
  ['a colour', '\u001b[31mred', '\\u001b[31mred'],
  ["a window's title", '\u001b]0;pwned\u0007', '\\u001b]0;pwned\\u0007'],
  ['C1', '\u009b31m\u009d0;x\u009c', '\\u009b31m\\u009d0;x\\u009c'],
  ['DEL and backspace', 'ok\u007f\b\b', 'ok\\u007f\\u0008\\u0008'],
  ['a carriage return', 'error\rfine', 'error\\u000dfine'],
  ['an order of text', '\u202egpj.exe \u2067x\u2069', '\\u202egpj.exe \\u2067x\\u2069'],
] as const;

describe('what is printed', () => {
  it.each(ESCAPES)('%s is escaped in texts of the program and of a model', (_, text, expected) => {
    expect(printable(text)).toBe(expected);
    expect(printableWriting(text)).toBe(expected);
  });

  it('is as it was otherwise', () => {
    for (const text of ['größe 模型 🙂', 'lines\n\tand tabs', '\\ " \'']) expect(printable(text)).toBe(text);
    // Joined emoji, and languages that are written with joiners and marks.
    for (const text of ['👩\u200d💻', 'می\u200cخواهم', 'a\u200e']) expect(printableWriting(text)).toBe(text);
    expect(printable('👩\u200d💻')).toBe('👩\\u200d💻');
  });

  it('has nothing that a terminal obeys, and as JSON it is the same value', () => {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    const obeyed = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/;
    const text = Array.from({ length: 0x10000 }, (_, code) => String.fromCharCode(code)).join('');
    expect(obeyed.test(printable(text))).toBe(false);
    expect(obeyed.test(printableWriting(text))).toBe(false);
    expect(JSON.parse(printable(JSON.stringify({ [text]: text })))[text] === text).toBe(true);
  });
});

describe('a long message', () => {
  it('is cut in its middle, which is counted', () => {
    const text = `begin ${'x'.repeat(1_000_000)} end`;
    expect(shorten(text)).toMatch(/^begin x+ … 998110 bytes left out … x+ end$/);
    expect(new CompileError(text).message).toBe(shorten(text));
    expect(new RunError(text).message).toBe(shorten(text));
    expect(shorten('short')).toBe('short');
  });

  it.each(['x', 'ä', '模', '🙂', '\u001b', '\n'])(
    'of %j is below 2 kB, of whole characters, and is not cut again',
    (unit) => {
      for (let count = 300; count < 2200; count += 7) {
        const text = printable(`a${unit.repeat(count)}`);
        const short = shorten(text);
        expect(Buffer.byteLength(short)).toBeLessThan(2000);
        expect(shorten(short)).toBe(short);
        expect(short).not.toContain('\ufffd');
        if (Buffer.byteLength(text) < 1900) expect(short).toBe(text);
      }
    },
  );
});

describe('an error of a command', () => {
  const write = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  afterEach(() => write.mockClear());
  const printed = () => write.mock.calls.map(([text]) => text).join('');

  it('is escaped and short on stderr', () => {
    const foreign = `\u001b]0;pwned\u0007${'\u009b'.repeat(1500)}`;
    expect(exitCodeOf('realizar-compile', new CompileError(foreign))).toBe(1);
    expect(exitCodeOfRun(new RunError(foreign))).toBe(1);
    const system = Object.assign(new Error(`ENOENT: '${foreign}'`), { syscall: 'open' });
    expect(exitCodeOf('realizar-run', system)).toBe(1);
    const lines = printed().trimEnd().split('\n');
    expect(lines).toHaveLength(3);
    for (const line of lines) {
      expect(line).toMatch(/^[\x20-\x7e…]*\\u001b\]0;pwned\\u0007[\x20-\x7e…]*$/);
      expect(Buffer.byteLength(line)).toBeLessThan(2048);
    }
  });
});
