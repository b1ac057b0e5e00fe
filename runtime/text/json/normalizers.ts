/** The normalizer of a tokenizer.json: what becomes of a text before it is split. */
import { spellBytes } from '../byte_alphabet.js';
import type { Fields } from './fields.js';
import { replaceMatches } from './pattern.js';

export type Normalizer = (text: string) => string;

const MOST_GROWTH = 32;
const MOST_MORE = 1 << 12;
const SPACE = /\p{White_Space}/u;
/** Chinese characters, as BERT counts them. */
const CHINESE =
  /[\u4e00-\u9fff\u3400-\u4dbf\u{20000}-\u{2a6df}\u{2a700}-\u{2b73f}\u{2b740}-\u{2b81f}\u{2b920}-\u{2ceaf}\uf900-\ufaff\u{2f800}-\u{2fa1f}]/gu;

/** Character by character: no letter's form depends on where in a word it stands. */
const lowercase: Normalizer = (text) => Array.from(text, (character) => character.toLowerCase()).join('');

const nmt: Normalizer = (text) =>
  text
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
    .replace(/[\u0001-\u0008\u000b\u000e-\u001f\u007f\u008f\u009f]/g, '')
    .replace(/[\t\n\f\r\u1680\u200b-\u200f\u2028\u2029\u2581\ufeff\ufffd]/g, ' ');

export function readNormalizers(steps: readonly Fields[]): Normalizer {
  const all = steps.map((step): Normalizer => {
    const normalize = readNormalizer(step);
    return (text) => requireBounded(step, text, normalize(text));
  });
  return (text) => all.reduce((done, step) => step(done), text);
}

/** Steps that make a text ever longer would take all memory. */
function requireBounded(step: Fields, before: string, after: string): string {
  const most = MOST_GROWTH * before.length + MOST_MORE;
  return after.length <= most ? after : step.refuseStep(`it makes more than ${most} characters of ${before.length}`);
}

function readNormalizer(step: Fields): Normalizer {
  const type = step.get('type');
  switch (type) {
    case 'NFC':
    case 'NFD':
    case 'NFKC':
    case 'NFKD':
      return (text) => text.normalize(type);
    case 'Lowercase':
      return lowercase;
    case 'Strip':
      return readStrip(step);
    case 'StripAccents':
      return (text) => text.replace(/\p{M}/gu, '');
    case 'Nmt':
      return nmt;
    case 'ByteLevel':
      return spellBytes;
    case 'Prepend': {
      const prepend = step.text('prepend');
      return (text) => (text === '' ? '' : prepend + text);
    }
    case 'Replace': {
      const [pattern, content] = [step.pattern('pattern'), step.text('content')];
      return (text) => replaceMatches(text, pattern, content, MOST_GROWTH * text.length + MOST_MORE);
    }
    case 'BertNormalizer':
      return readBert(step);
    default:
      return step.refuseStep();
  }
}

function readStrip(step: Fields): Normalizer {
  const [left, right] = [step.bool('strip_left'), step.bool('strip_right')];
  return (text) => {
    let [start, end] = [0, text.length];
    while (left && start < end && SPACE.test(text[start]!)) start++;
    while (right && end > start && SPACE.test(text[end - 1]!)) end--;
    return text.slice(start, end);
  };
}

function readBert(step: Fields): Normalizer {
  const [clean, chinese, lower] = ['clean_text', 'handle_chinese_chars', 'lowercase'].map((key) => step.bool(key));
  const accents = step.bool('strip_accents', lower);
  return (text) => {
    let done = text;
    if (clean) done = done.replace(/(?![\t\n\r])[\0\ufffd\p{Cc}\p{Cf}\p{Co}]/gu, '').replace(/\p{White_Space}/gu, ' ');
    if (chinese) done = done.replace(CHINESE, ' $& ');
    if (accents) done = done.normalize('NFD').replace(/\p{Mn}/gu, '');
    return lower ? lowercase(done) : done;
  };
}
