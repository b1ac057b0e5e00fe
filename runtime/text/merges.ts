/** The merges of a vocabulary, which have an order. */
import { quote } from '../common/quote.js';
import type { TextSource } from './text_source.js';

export const MERGES_KEY = 'tokenizer.ggml.merges';

/** Ranks by "left right", as the file spells them. */
export function readMerges({ metadata }: TextSource): Map<string, number> {
  const merges =
    metadata.stringArray(MERGES_KEY) ?? metadata.fail(MERGES_KEY, 'expected an array of strings, found no such key');
  const ranks = new Map<string, number>();
  for (let rank = merges.length - 1; rank >= 0; rank--) {
    const merge = merges[rank]!;
    if (merge.indexOf(' ', 1) < 0)
      metadata.fail(MERGES_KEY, `expected two tokens with a space between them, element ${rank} is ${quote(merge)}`);
    ranks.set(merge, rank); // of a merge that is listed twice the first counts
  }
  return ranks;
}
