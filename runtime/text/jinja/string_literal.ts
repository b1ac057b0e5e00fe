/** What a string in a template says: Python's escapes. */
const NAMED: Readonly<Record<string, string>> = {
  '\n': '',
  '\\': '\\',
  "'": "'",
  '"': '"',
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};
const DIGITS: Readonly<Record<string, number>> = { x: 2, u: 4, U: 8 };

/** The text between the quotes, or what is wrong with it. */
export function decodeString(body: string): string | { readonly problem: string } {
  if (!body.includes('\\')) return body;
  let problem: string | undefined;
  const text = body.replace(/\\([0-7]{1,3}|[xuU][\da-fA-F]*|N(?:\{[^}]*\})?|.)/gsu, (whole, sequence: string) => {
    const [mark = ''] = sequence;
    if (/[0-7]/.test(mark)) return String.fromCodePoint(Number.parseInt(sequence, 8));
    if (mark === 'N') problem ??= 'names of characters (\\N{...}) are not supported';
    const digits = DIGITS[mark];
    if (digits !== undefined) return coded(sequence, mark, digits, (wrong) => (problem ??= wrong));
    return Object.hasOwn(NAMED, mark) ? NAMED[mark]! : isAscii(mark) ? whole : `\\${spelled(mark)}`;
  });
  return problem === undefined ? text : { problem };
}

function coded(sequence: string, mark: string, digits: number, fail: (problem: string) => void): string {
  const code = sequence.slice(1, 1 + digits);
  if (code.length < digits) fail(`truncated \\${mark}${'X'.repeat(digits)} escape`);
  const point = Number.parseInt(code, 16);
  if (point > 0x10ffff) fail('illegal Unicode character');
  return point <= 0x10ffff ? String.fromCodePoint(point) + sequence.slice(1 + digits) : '';
}

const isAscii = (character: string): boolean => character.codePointAt(0)! < 0x80;

/** Jinja2 spells what is not ASCII as escapes before it reads any: after a backslash one is plain text. */
function spelled(character: string): string {
  const code = character.codePointAt(0)!;
  const [mark, digits] = code < 0x100 ? ['x', 2] : code < 0x10000 ? ['u', 4] : ['U', 8];
  return `${mark}${code.toString(16).padStart(digits as number, '0')}`;
}
