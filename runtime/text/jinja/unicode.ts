/** What Python's str knows of characters. */
const SPACE = '\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000';
export const SPACES = `[${SPACE}]`;
const ALL_SPACE = new RegExp(`^${SPACES}+$`);
const LEADING = new RegExp(`^${SPACES}+`);
const isSpaceCharacter = new RegExp(SPACES);

export const isSpace = (text: string): boolean => ALL_SPACE.test(text);

export const stripStart = (text: string): string => text.replace(LEADING, '');

/** A loop: an expression that is anchored at the end alone looks for its beginning everywhere. */
export function stripEnd(text: string): string {
  let end = text.length;
  while (end > 0 && isSpaceCharacter.test(text[end - 1]!)) end--;
  return text.slice(0, end);
}

export const strip = (text: string): string => stripStart(stripEnd(text));

/** Words between white space, of which at most `count` are cut off; the rest is the last. */
export function splitSpace(text: string, count: number): string[] {
  const found = new RegExp(`[^${SPACE}]+`, 'g');
  const words: string[] = [];
  for (let match = found.exec(text); match; match = found.exec(text)) {
    if (words.length === count) return [...words, stripEnd(text.slice(match.index))];
    words.push(match[0]);
  }
  return words;
}

const LINE_ENDS = '\\r\\n|[\\n\\v\\f\\r\\x1c-\\x1e\\x85\\u2028\\u2029]';
const LINE_END = new RegExp(LINE_ENDS, 'g');

export function splitLines(text: string, keepEnds = false): string[] {
  const lines: string[] = [];
  let at = 0;
  for (const { 0: end, index } of text.matchAll(LINE_END)) {
    lines.push(text.slice(at, keepEnds ? index + end.length : index));
    at = index + end.length;
  }
  return at < text.length ? [...lines, text.slice(at)] : lines;
}

/** repr() shows these as they are. */
const NOT_PRINTABLE = /[\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/u;
export const isPrintable = (text: string): boolean => !NOT_PRINTABLE.test(text);

/** Digits that are no decimals: superscripts and the circled, as Python's isdigit has them. */
const OTHER_DIGIT =
  '\\xb2\\xb3\\xb9\\u1369-\\u1371\\u19da\\u2070\\u2074-\\u2079\\u2080-\\u2089\\u2460-\\u2468\\u2474-\\u247c\\u2488-\\u2490\\u24ea\\u24f5-\\u24fd\\u24ff\\u2776-\\u277e\\u2780-\\u2788\\u278a-\\u2792\\u{10a40}-\\u{10a43}\\u{10e60}-\\u{10e68}\\u{11052}-\\u{1105a}\\u{1f100}-\\u{1f10a}';
/** Ideographs that count. */
const NUMERIC_LETTER =
  '\\u3405\\u3483\\u382a\\u3b4d\\u4e00\\u4e03\\u4e07\\u4e09\\u4e5d\\u4e8c\\u4e94\\u4e96\\u4ebf-\\u4ec0\\u4edf\\u4ee8\\u4f0d\\u4f70\\u5104\\u5146\\u5169\\u516b\\u516d\\u5341\\u5343-\\u5345\\u534c\\u53c1-\\u53c4\\u56db\\u58f1\\u58f9\\u5e7a\\u5efe-\\u5eff\\u5f0c-\\u5f0e\\u5f10\\u62fe\\u634c\\u67d2\\u6f06\\u7396\\u767e\\u8086\\u842c\\u8cae\\u8cb3\\u8d30\\u9621\\u9646\\u964c\\u9678\\u96f6\\uf96b\\uf973\\uf978\\uf9b2\\uf9d1\\uf9d3\\uf9fd';
const every = (set: string) => {
  const pattern = new RegExp(`^[${set}]+$`, 'u');
  return (text: string): boolean => pattern.test(text);
};
export const isAlpha = every('\\p{L}');
export const isDecimal = every('\\p{Nd}');
export const isDigit = every(`\\p{Nd}${OTHER_DIGIT}`);
export const isNumeric = every(`\\p{N}${NUMERIC_LETTER}`);
export const isAlnum = every('\\p{L}\\p{N}');
export const isIdentifier = (text: string): boolean => /^[\p{XID_Start}_]\p{XID_Continue}*$/u.test(text);

const UPPER = /[\p{Uppercase}\p{Lt}]/u;
const LOWER = /\p{Lowercase}/u;
export const isLower = (text: string): boolean => LOWER.test(text) && !UPPER.test(text);
export const isUpper = (text: string): boolean =>
  /\p{Uppercase}/u.test(text) && !LOWER.test(text) && !/\p{Lt}/u.test(text);
const isCased = (character: string): boolean => UPPER.test(character) || LOWER.test(character);

/** Letters of which the titlecase is neither the uppercase nor its first letter with the others lowered. */
const TITLES = new Map([
  ...['ǄǅǆǇǈǉǊǋǌǱǲǳ'].flatMap((all) => [...all].map((letter, i): [string, string] => [letter, all[i - (i % 3) + 1]!])),
  ['ŉ', 'ʼN'],
]);

function title(character: string): string {
  const known = TITLES.get(character);
  if (known !== undefined) return known;
  if (/[ა-ჺჽ-ჿ]/.test(character)) return character;
  const upper = character.toUpperCase();
  if (/[\u1f80-\u1fff]/.test(character) && upper.endsWith('Ι') && upper.length > 1)
    return `${upper.slice(0, -1)}\u0345`.normalize('NFC'); // the iota stays below
  const [first = '', ...rest] = upper;
  return first + rest.join('').toLowerCase();
}

export function capitalize(text: string): string {
  const [first = ''] = text;
  return title(first) + lowerFrom(text, first.length);
}

/** The rest in lower case; a sigma at the end of a word knows what is before it. */
function lowerFrom(text: string, at: number): string {
  return text.slice(at).includes('Σ')
    ? text.toLowerCase().slice(text.slice(0, at).toLowerCase().length)
    : text.slice(at).toLowerCase();
}

export function titlecase(text: string): string {
  let inWord = false;
  let out = '';
  const lower = text.includes('Σ') ? [...text].map((_, i, all) => sigma(all, i)) : undefined;
  for (const [i, character] of [...text].entries()) {
    out += inWord ? (lower?.[i] ?? character.toLowerCase()) : title(character);
    inWord = isCased(character);
  }
  return out;
}

const sigma = (all: readonly string[], i: number): string =>
  all[i] === 'Σ'
    ? all
        .slice(0, i + 2)
        .join('')
        .toLowerCase()
        .at(-(i + 1 < all.length ? 2 : 1))!
    : all[i]!.toLowerCase();

export function isTitle(text: string): boolean {
  let inWord = false;
  let found = false;
  for (const character of text) {
    const upper = UPPER.test(character);
    const lower = LOWER.test(character);
    if (upper ? inWord : lower && !inWord) return false;
    inWord = upper || lower;
    found ||= inWord;
  }
  return found;
}

export function swapcase(text: string): string {
  let out = '';
  for (const c of text) out += /\p{Uppercase}/u.test(c) ? c.toLowerCase() : LOWER.test(c) ? c.toUpperCase() : c;
  return out;
}

/** Order of code points, which UTF-16's is not. */
export function compareTexts(a: string, b: string): number {
  if (a === b) return 0;
  const size = Math.min(a.length, b.length);
  for (let i = 0; i < size; i++) {
    const [x, y] = [a.charCodeAt(i), b.charCodeAt(i)];
    if (x !== y) return rank(x) - rank(y);
  }
  return a.length - b.length;
}

/** Surrogates stand for what comes after all other UTF-16 units. */
const rank = (unit: number): number => (unit >= 0xd800 && unit < 0xe000 ? unit + 0x10000 : unit);
