/** Tokens with their log probabilities, for a person to read. */
import type { Piece, TokenLogprob } from '../llm/index.js';

const UTF8 = new TextDecoder();

/** A token, its natural log probability, and after "|" the most probable ones with theirs. */
export function logprobLine({ bytes, logprob, topLogprobs = [] }: Piece): string {
  if (bytes === undefined || logprob === undefined) return '';
  const chosen = `${shown(UTF8.decode(bytes)).padEnd(16)} ${shownLogprob(logprob)}`;
  const others = topLogprobs.map((top: TokenLogprob) => `${shown(top.text)} ${shownLogprob(top.logprob)}`);
  return `${[chosen, ...others].join('  |  ')}\n`;
}

const shown = (text: string) => JSON.stringify(text);
const shownLogprob = (logprob: number) => logprob.toFixed(4).padStart(8);
