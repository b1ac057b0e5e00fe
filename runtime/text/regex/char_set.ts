/** Sets of characters, asked for one by one. */

export type Predicate = (codePoint: number) => boolean;

const PAGE = 256;

/** Remembers what its predicate said, 256 code points at a time. */
export class CharSet {
  readonly #pages: Uint8Array[] = [];

  constructor(private readonly predicate: Predicate) {}

  has(codePoint: number): boolean {
    const page = this.#pages[codePoint >> 8] ?? this.#fill(codePoint >> 8);
    return page[codePoint & (PAGE - 1)] === 1;
  }

  #fill(index: number): Uint8Array {
    const page = Uint8Array.from({ length: PAGE }, (_, i) => (this.predicate(index * PAGE + i) ? 1 : 0));
    this.#pages[index] = page;
    return page;
  }
}

/** The characters that a pattern of JavaScript takes; undefined where it is none. */
function matching(source: string): Predicate | undefined {
  let pattern: RegExp;
  try {
    pattern = new RegExp(`^${source}$`, 'u');
  } catch {
    return undefined;
  }
  return (codePoint) => pattern.test(String.fromCodePoint(codePoint));
}

const known = (source: string): Predicate => matching(source)!;

/** Unicode's, as Oniguruma has them. */
const WORD = known('[\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}]');
const VISIBLE = known('[^\\p{White_Space}\\p{Cc}\\p{Cn}\\p{Cs}]');
const ZS = known('\\p{Zs}');

/** By kind of an escape, outside of brackets. */
export const ESCAPES: Readonly<Record<string, Predicate>> = {
  digit: known('\\p{Nd}'),
  space: known('\\p{White_Space}'),
  hex: known('[0-9A-Fa-f]'),
  // Its table of Latin-1 calls these digits letters, too; that of brackets does not.
  word: (codePoint) => WORD(codePoint) || '²³¹¼½¾'.includes(String.fromCodePoint(codePoint)),
};

/** By kind of an escape within brackets. */
export const BRACKETED: Readonly<Record<string, Predicate>> = { ...ESCAPES, word: WORD };

/** By name in [[:name:]]. */
export const POSIX: Readonly<Record<string, Predicate>> = {
  alnum: known('[\\p{Alphabetic}\\p{Nd}]'),
  alpha: known('\\p{Alphabetic}'),
  ascii: (codePoint) => codePoint < 0x80,
  blank: known('[\\p{Zs}\\t]'),
  cntrl: known('\\p{Cc}'),
  digit: known('\\p{Nd}'),
  graph: VISIBLE,
  lower: known('\\p{Lowercase}'),
  print: (codePoint) => VISIBLE(codePoint) || ZS(codePoint),
  punct: known('[\\p{P}\\p{S}]'),
  space: known('\\p{White_Space}'),
  upper: known('\\p{Uppercase}'),
  word: WORD,
  xdigit: known('[0-9A-Fa-f]'),
};

/** Of \p{name}; undefined for what Unicode as Node has it does not know. */
export const property = (name: string): Predicate | undefined =>
  matching(`\\p{${name}}`) ?? matching(`\\p{Script=${name}}`);
