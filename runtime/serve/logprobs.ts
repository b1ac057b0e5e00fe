/** Log probabilities as OpenAI's two APIs show them. */
import type { Piece, TokenLogprob } from '../llm/index.js';

/** JSON has no -Infinity; OpenAI's value for what is all but impossible. */
const LEAST = -9999;
const finite = (logprob: number | undefined) => Math.max(logprob ?? LEAST, LEAST);

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });
const textOf = ({ bytes }: Piece) => utf8.decode(bytes);

export function chatLogprobs(pieces: readonly Piece[]) {
  const top = ({ text, bytes, logprob }: TokenLogprob) => ({
    token: text,
    logprob: finite(logprob),
    bytes: [...bytes],
  });
  const content = pieces.map((piece) => ({
    token: textOf(piece),
    logprob: finite(piece.logprob),
    bytes: [...(piece.bytes ?? [])],
    top_logprobs: (piece.topLogprobs ?? []).map(top),
  }));
  return { content, refusal: null };
}

/** `offset`: characters of the text before these pieces. */
export function completionLogprobs(pieces: readonly Piece[], offset: number) {
  let at = offset;
  const offsets = pieces.map((piece) => {
    const before = at;
    at += piece.text.length;
    return before;
  });
  return {
    tokens: pieces.map(textOf),
    token_logprobs: pieces.map((piece) => finite(piece.logprob)),
    top_logprobs: pieces.map(({ topLogprobs = [] }) =>
      Object.fromEntries(topLogprobs.map(({ text, logprob }) => [text, finite(logprob)])),
    ),
    text_offset: offsets,
  };
}
