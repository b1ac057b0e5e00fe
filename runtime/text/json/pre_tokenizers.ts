/** The pre_tokenizer of a tokenizer.json: the words that a text is split into, and how they are spelled. */
import { spellBytes } from '../byte_alphabet.js';
import { GPT2_WORDS } from '../pre_tokenizers.js';
import type { Fields } from './fields.js';
import { BEHAVIORS, type Behavior, ownPattern, type Pattern, splitText, textPattern } from './pattern.js';

/** A word; `first`: it begins where the whole text begins. */
export interface Piece {
  readonly text: string;
  readonly first: boolean;
}

export type PreTokenizer = (piece: Piece) => Piece[];

/** Each makes a text longer. */
const MOST_SPELLINGS = 3;
const GPT2 = ownPattern(GPT2_WORDS.replaceAll('\\s', '\\p{White_Space}').replaceAll('\\S', '\\P{White_Space}'));
const SPACE = ownPattern('\\p{White_Space}');
const PUNCTUATION = ownPattern('[!-/:-@\\[-`{-~\\p{P}]');
const NUMBER = ownPattern('\\p{N}');
/** Words and signs as the library's other engine has them, where joiners are letters. */
const WORD = '\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}';
const WORDS = ownPattern(`[${WORD}]+|[^${WORD}\\p{White_Space}]+`);

export function readPreTokenizers(steps: readonly Fields[]): PreTokenizer {
  if (steps.filter((step) => step.get('type') === 'ByteLevel').length > MOST_SPELLINGS)
    steps[0]!.refuse('text with this pre-tokenizer', `it spells bytes more than ${MOST_SPELLINGS} times`);
  const all = steps.map(readPreTokenizer);
  return (piece) => all.reduce((pieces, step) => pieces.flatMap(step), [piece]);
}

function readPreTokenizer(step: Fields): PreTokenizer {
  switch (step.get('type')) {
    case 'Split':
      return split(step.pattern('pattern'), step.oneOf('behavior', BEHAVIORS), step.bool('invert'));
    case 'ByteLevel':
      return readByteLevel(step);
    case 'Metaspace':
      return readMetaspace(step);
    case 'Digits':
      return split(NUMBER, step.bool('individual_digits') ? 'Isolated' : 'Contiguous');
    case 'Punctuation':
      return split(PUNCTUATION, step.oneOf('behavior', BEHAVIORS, 'Isolated'));
    case 'Whitespace':
      return split(WORDS, 'Removed', true);
    case 'WhitespaceSplit':
      return split(SPACE, 'Removed');
    case 'BertPreTokenizer':
      return (piece) => split(SPACE, 'Removed')(piece).flatMap(split(PUNCTUATION, 'Isolated'));
    case 'CharDelimiterSplit':
      return split(textPattern(step.character('delimiter')), 'Removed');
    case 'FixedLength':
      return readFixedLength(step);
    default:
      return step.refuseStep();
  }
}

function split(pattern: Pattern, behavior: Behavior, invert = false): PreTokenizer {
  return ({ text, first }) =>
    splitText(text, pattern, behavior, invert).map(([part, at]) => ({ text: part, first: first && at === 0 }));
}

function readByteLevel(step: Fields): PreTokenizer {
  const prefix = step.bool('add_prefix_space');
  const words = step.bool('use_regex', true) ? split(GPT2, 'Isolated') : (piece: Piece) => [piece];
  return ({ text, first }) => {
    const begun = prefix && !text.startsWith(' ') ? ` ${text}` : text;
    return words({ text: begun, first }).map((word) => ({ ...word, text: spellBytes(word.text) }));
  };
}

function readMetaspace(step: Fields): PreTokenizer {
  const replacement = step.character('replacement');
  // Files from before the scheme existed say whether.
  const wants = step.get('add_prefix_space') !== false;
  const scheme = step.oneOf('prepend_scheme', ['first', 'never', 'always'], wants ? 'always' : 'never');
  if (!wants && scheme !== 'never') step.fail('add_prefix_space', `expected true where prepend_scheme is ${scheme}`);
  const parts: PreTokenizer = step.bool('split', true)
    ? split(textPattern(replacement), 'MergedWithNext')
    : (piece) => [piece];
  return ({ text, first }) => {
    const spelled = text.replaceAll(' ', () => replacement);
    const begins = scheme === 'always' || (scheme === 'first' && first);
    return parts({ text: begins && !spelled.startsWith(replacement) ? replacement + spelled : spelled, first });
  };
}

function readFixedLength(step: Fields): PreTokenizer {
  const length = step.count('length', 5);
  if (length === 0) return step.fail('length', 'expected at least 1, found 0');
  return ({ text, first }) => {
    const characters = [...text];
    const pieces: Piece[] = [];
    for (let at = 0; at < characters.length; at += length)
      pieces.push({ text: characters.slice(at, at + length).join(''), first: first && at === 0 });
    return pieces;
  };
}
