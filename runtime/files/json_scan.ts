/** One pass over JSON before it is parsed: what JSON.parse takes, and readers of model files do not. */

import { quote } from '../common/quote.js';
import { MAX_JSON } from './limits.js';

export interface JsonScan {
  /** It is more than any model file has, and is not to be parsed. */
  readonly tooMuch?: string;
  /** The first key that an object has twice. Means nothing where the text is no JSON. */
  readonly twice?: string;
}

const [QUOTE, BACKSLASH, COMMA, COLON] = [0x22, 0x5c, 0x2c, 0x3a];
const [OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d];

export function scanJson(text: string): JsonScan {
  const open: (Set<string> | undefined)[] = [];
  let values = 1;
  let string: readonly [start: number, end: number] | undefined;
  let twice: string | undefined;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit === QUOTE) {
      string = [at, endOfString(text, at)];
      at = string[1] - 1;
    } else if (unit === OPEN_OBJECT || unit === OPEN_LIST) {
      if (open.length >= MAX_JSON.depth) return { tooMuch: `expected at most ${MAX_JSON.depth} levels, found more` };
      open.push(unit === OPEN_OBJECT ? new Set() : undefined);
      values++;
    } else if (unit === CLOSE_OBJECT || unit === CLOSE_LIST) open.pop();
    else if (unit === COMMA) values++;
    else if (unit === COLON && string) twice ??= repeated(open.at(-1), text.slice(...string));
    if (values > MAX_JSON.values) return { tooMuch: `expected at most ${MAX_JSON.values} values, found more` };
  }
  return twice === undefined ? {} : { twice };
}

/** After the closing quote of the string that begins at `start`; strings of many megabytes are common. */
function endOfString(text: string, start: number): number {
  for (let at = text.indexOf('"', start + 1); at >= 0; at = text.indexOf('"', at + 1)) {
    let backslashes = 0;
    while (text.charCodeAt(at - 1 - backslashes) === BACKSLASH) backslashes++;
    if (backslashes % 2 === 0) return at + 1;
  }
  return text.length;
}

/** The key, quoted, where its object has it already. */
function repeated(keys: Set<string> | undefined, literal: string): string | undefined {
  if (keys === undefined) return undefined;
  const key = literal.includes('\\') ? decoded(literal) : literal.slice(1, -1);
  if (keys.has(key)) return quote(key);
  keys.add(key);
  return undefined;
}

/** JSON.parse of the whole text reports what is wrong with a string. */
function decoded(literal: string): string {
  try {
    return JSON.parse(literal);
  } catch {
    return literal;
  }
}
