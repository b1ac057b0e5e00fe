/** Log probabilities as OpenAI's two APIs show them. */
import type { Piece, TokenLogprob } from '../llm/index.js';
import type { ServedModel } from './options.js';

const utf8 = new TextEncoder();
/** JSON has no -Infinity; OpenAI's value for what is all but impossible. */
const LEAST = -9999;
const finite = (logprob: number | undefined) => Math.max(logprob ?? LEAST, LEAST);

/** A token's own text and bytes. Null where the text says nothing of the bytes. */
function spell(model: ServedModel, { token, topLogprobs }: Piece): { token: string; bytes: number[] | null } {
  const known = topLogprobs?.find((top) => top.token === token);
  if (known) return { token: known.text, bytes: [...known.bytes] };
  const text = model.detokenize([token], { continues: true });
  return { token: text, bytes: text.includes('\ufffd') ? null : [...utf8.encode(text)] };
}

export function chatLogprobs(model: ServedModel, pieces: readonly Piece[]) {
  const top = ({ text, bytes, logprob }: TokenLogprob) => ({
    token: text,
    logprob: finite(logprob),
    bytes: [...bytes],
  });
  const content = pieces.map((piece) => ({
    ...spell(model, piece),
    logprob: finite(piece.logprob),
    top_logprobs: (piece.topLogprobs ?? []).map(top),
  }));
  return { content, refusal: null };
}

/** `offset`: characters of the text before these pieces. */
export function completionLogprobs(model: ServedModel, pieces: readonly Piece[], offset: number) {
  let at = offset;
  const offsets = pieces.map((piece) => {
    const before = at;
    at += piece.text.length;
    return before;
  });
  return {
    tokens: pieces.map((piece) => spell(model, piece).token),
    token_logprobs: pieces.map((piece) => finite(piece.logprob)),
    top_logprobs: pieces.map(({ topLogprobs = [] }) =>
      Object.fromEntries(topLogprobs.map(({ text, logprob }) => [text, finite(logprob)])),
    ),
    text_offset: offsets,
  };
}
