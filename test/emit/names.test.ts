import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { comment, configStruct, cString, identifier } from '../../compiler/emit/names.js';
import { cFloat } from '../../compiler/kernels/fields.js';
import { fileName, libraryFile, libraryName } from '../../runtime/artifact_folder/names.js';

const anything = fc.string({ unit: 'binary' });

describe('file names', () => {
  it.each([
    ['storyteller-q8_0', 'storyteller-q8_0'],
    ['Llama 3.2 (1B)', 'Llama_3.2_1B_'],
    ['../../etc/passwd', 'etc_passwd'],
    ['-rf', 'rf'],
    ['.hidden', 'hidden'],
    ['', 'model'],
    ['...', 'model'],
    ['模型', 'model'],
  ])('%j: %j', (model, expected) => expect(fileName(model)).toBe(expected));

  it('are plain, visible and short, whatever the model is called', () => {
    fc.assert(
      fc.property(anything, (model) => {
        expect(fileName(model)).toMatch(/^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$/);
        expect(libraryName(model)).toMatch(/^[A-Za-z0-9][A-Za-z0-9_-]*$/);
        expect(libraryFile(model)).toBe(`lib${libraryName(model)}.so`);
      }),
    );
  });
});

describe('identifiers', () => {
  it.each([
    ['storyteller-q8_0', 'storytellerQ8_0'],
    ['llama-3.2-1b', 'llama321b'],
    ['8b', 'model8b'],
    ['', 'model'],
  ])('%j: %j', (model, expected) => expect(identifier(model)).toBe(expected));

  it('are identifiers, whatever the model is called', () => {
    fc.assert(fc.property(anything, (model) => void expect(identifier(model)).toMatch(/^[A-Za-z_][A-Za-z0-9_]*$/)));
  });

  it('of a configuration are those of its kernel', () =>
    expect(configStruct('realizar_attn_qkv')).toBe('attn_qkv_config'));
});

/** Reads a C string literal back: three octal digits after each backslash. */
function readC(literal: string): string {
  expect(literal).toMatch(/^"(?:[^"\\?]|\\[0-7]{3})*"$/);
  const bytes = [...literal.slice(1, -1).matchAll(/\\([0-7]{3})|[\s\S]/g)].map(([char, octal]) =>
    octal ? Number.parseInt(octal, 8) : char.charCodeAt(0),
  );
  return Buffer.from(bytes).toString('utf8');
}

describe('literals', () => {
  it('of strings read back', () => {
    expect(cString('plain text.')).toBe('"plain text."');
    expect(cString('"\\?\n')).toBe('"\\042\\134\\077\\012"');
    // A digit after an escape is not part of it.
    expect(cString('\u00017')).toBe('"\\0017"');
    fc.assert(fc.property(fc.string({ unit: 'grapheme' }), (text) => void expect(readC(cString(text))).toBe(text)));
    fc.assert(fc.property(anything, (text) => void expect(cString(text)).toMatch(/^[\x20-\x7e]*$/)));
  });

  it('of floats read back to the same bits', () => {
    expect(cFloat(1)).toBe('1.f');
    expect(cFloat(1e-5)).toMatch(/e-\d+f$|\.\d+f$/);
    fc.assert(
      fc.property(fc.float({ noNaN: true, noDefaultInfinity: true }), (value) => {
        const literal = cFloat(value);
        expect(literal).toMatch(/^-?(\d+\.\d*|\d*\.\d+|\d+(\.\d+)?e[+-]?\d+)f$/);
        expect(Object.is(Math.fround(Number(literal.slice(0, -1))) + 0, value + 0)).toBe(true);
      }),
    );
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, 1e39])
      expect(() => cFloat(value)).toThrow('no finite f32');
  });
});

describe('comments', () => {
  it('stay on their line and open or close nothing', () => {
    expect(comment('blk.0.attn_q, 3 x 4')).toBe('blk.0.attn_q, 3 x 4');
    fc.assert(
      fc.property(anything, (text) => {
        expect(comment(text)).toMatch(/^[\x20-\x7e]*$/);
        expect(comment(text)).not.toMatch(/\\|\?\?|\*\/|\/\*/);
      }),
    );
    for (const text of ['*/', '/*', '**//', '/*/', '*\u0000/']) expect(comment(text)).not.toMatch(/\*\/|\/\*/);
  });
});
