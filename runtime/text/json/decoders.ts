/** The decoder of a tokenizer.json: the text of each token. */
import { readBytes } from '../byte_alphabet.js';
import type { Fields } from './fields.js';
import { replaceMatches } from './pattern.js';

/** `first`: no token comes before it. */
export type Decoder = (token: string, first: boolean) => Uint8Array;

type Step = (token: string, first: boolean) => string;

const BYTE = /^<0x([0-9A-Fa-f]{2})>$/;

export function readDecoder(file: Fields): Decoder {
  const steps = file.sequence('decoder', 'decoders');
  // Without one, the library puts spaces between tokens.
  if (steps.length === 0) return (token, first) => Buffer.from(first ? token : ` ${token}`);
  const done: Step[] = [];
  let finish: (token: string) => Uint8Array = (token) => Buffer.from(token);
  let [fused, bytes] = [false, false];
  for (const step of steps) {
    const type = step.get('type');
    if (fused && type !== 'Strip') step.refuseStep('it comes after Fuse');
    if (type === 'Fuse') fused = true;
    else if (type === 'ByteFallback') bytes = true;
    else if (type === 'ByteLevel') {
      finish = readBytes;
      fused = true;
    } else done.push(fused ? readFusedStrip(step) : readStep(step));
  }
  const decode: Step = (token, first) => done.reduce((text, step) => step(text, first), token);
  if (!bytes) return (token, first) => finish(decode(token, first));
  return (token, first) => {
    const byte = BYTE.exec(token)?.[1];
    return byte === undefined ? finish(decode(token, first)) : Uint8Array.of(Number.parseInt(byte, 16));
  };
}

function readStep(step: Fields): Step {
  switch (step.get('type')) {
    case 'Replace': {
      const [pattern, content] = [step.pattern('pattern'), step.text('content')];
      return (token) => replaceMatches(token, pattern, content);
    }
    case 'Strip':
      return readStrip(step);
    case 'Metaspace': {
      const replacement = step.character('replacement');
      const prefixed = step.get('add_prefix_space') !== false && step.get('prepend_scheme') !== 'never';
      return (token, first) => token.replaceAll(replacement, first && prefixed ? '' : ' ');
    }
    case 'WordPiece':
      return readWordPiece(step);
    default:
      return step.refuseStep();
  }
}

function readStrip(step: Fields): Step {
  const [content, start, stop] = [step.character('content'), step.count('start'), step.count('stop')];
  return (token) => {
    const characters = [...token];
    let [from, to] = [0, characters.length];
    while (from < Math.min(start, characters.length) && characters[from] === content) from++;
    while (characters.length - to < stop && to > from && characters[to - 1] === content) to--;
    return characters.slice(from, to).join('');
  };
}

/** Of the whole text: at its beginning one character, which its first token has. */
function readFusedStrip(step: Fields): Step {
  const [content, start, stop] = [step.character('content'), step.count('start'), step.count('stop')];
  if (start > 1 || stop > 0) step.refuseStep('after Fuse it may take one character, from the beginning');
  return (token, first) => (first && start === 1 && token.startsWith(content) ? token.slice(content.length) : token);
}

const CLEANED: readonly (readonly [string, string])[] = [
  ...([' .', ' ?', ' !', ' ,'].map((text) => [text, text.slice(1)]) as [string, string][]),
  [" ' ", "'"],
  [" n't", "n't"],
  [" 'm", "'m"],
  [' do not', " don't"],
  [" 's", "'s"],
  [" 've", "'ve"],
  [" 're", "'re"],
];

function readWordPiece(step: Fields): Step {
  const [prefix, cleans] = [step.text('prefix'), step.bool('cleanup')];
  return (token, first) => {
    const joined = first ? token : token.startsWith(prefix) ? token.slice(prefix.length) : ` ${token}`;
    return cleans ? CLEANED.reduce((text, [from, to]) => text.replaceAll(from, to), joined) : joined;
  };
}
