/** Log probabilities as OpenAI's two APIs show them. */
import type { Piece } from '../llm/index.js';

/** JSON has no -Infinity; OpenAI's value for what is all but impossible. */
const LEAST = -9999;
const finite = (logprob: number | undefined) => Math.max(logprob ?? LEAST, LEAST);

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true, fatal: true });

/** A token's text, or its bytes where they are no whole characters: ` \xe2\x80`. */
function nameOf(bytes: Uint8Array = new Uint8Array(), prefix = ''): string {
  try {
    return utf8.decode(bytes);
  } catch {
    const shown = (byte: number) =>
      byte > 31 && byte < 127 ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, '0')}`;
    return prefix + [...bytes].map(shown).join('');
  }
}

/** `top_logprobs` are the most probable tokens; the chosen one is named beside them, and need not be one of them. */
export function chatLogprobs(pieces: readonly Piece[]) {
  const named = ({ bytes, logprob }: Pick<Piece, 'bytes' | 'logprob'>) => ({
    token: nameOf(bytes),
    logprob: finite(logprob),
    bytes: [...(bytes ?? [])],
  });
  const content = pieces.map((piece) => ({ ...named(piece), top_logprobs: (piece.topLogprobs ?? []).map(named) }));
  return { content, refusal: null };
}

/** As completions show them, a list each by token. null: of a prompt's first token, which follows nothing. */
export interface CompletionLogprobs {
  readonly tokens: readonly string[];
  readonly token_logprobs: readonly (number | null)[];
  readonly top_logprobs: readonly (Readonly<Record<string, number>> | null)[];
  readonly text_offset: readonly number[];
}

type Shown = Omit<Piece, 'token'>;

/** `offset`: characters of the text before these pieces. */
export function completionLogprobs(pieces: readonly Shown[], offset: number): CompletionLogprobs {
  let at = offset;
  const offsets = pieces.map((piece) => {
    const before = at;
    at += piece.text.length;
    return before;
  });
  return {
    tokens: pieces.map(({ bytes }) => keyOf(bytes)),
    token_logprobs: pieces.map(({ logprob }) => (logprob === undefined ? null : finite(logprob))),
    top_logprobs: pieces.map((piece) => (piece.logprob === undefined ? null : topByKey(piece))),
    text_offset: offsets,
  };
}

/** The second after the first, which may be none. */
export function joinLogprobs(first: CompletionLogprobs | undefined, second: CompletionLogprobs): CompletionLogprobs {
  if (first === undefined) return second;
  return {
    tokens: [...first.tokens, ...second.tokens],
    token_logprobs: [...first.token_logprobs, ...second.token_logprobs],
    top_logprobs: [...first.top_logprobs, ...second.top_logprobs],
    text_offset: [...first.text_offset, ...second.text_offset],
  };
}

const keyOf = (bytes: Uint8Array | undefined) => nameOf(bytes, 'bytes:');

/**
 * The chosen token and the most probable ones, by their texts. Where several tokens have the same text, it stands for the chosen
 * one, or else for the most probable; the others are named by their ids, as vLLM names tokens.
 */
function topByKey(chosen: Shown): Record<string, number> {
  const own = keyOf(chosen.bytes);
  const top = (chosen.topLogprobs ?? []).map((one) => ({ ...one, key: keyOf(one.bytes) }));
  const itself = top.find(({ key, logprob }) => key === own && logprob === chosen.logprob);
  const taken = new Set([own]);
  const entries = top.map((one) => {
    const key = one !== itself && taken.has(one.key) ? `token_id:${one.token}` : one.key;
    taken.add(key);
    return [key, finite(one.logprob)] as const;
  });
  return Object.fromEntries([...entries, [own, finite(chosen.logprob)]]);
}
