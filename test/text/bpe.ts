/** GPT-2's encoder.py, line by line: the slow, obvious byte-level BPE that the tokenizer is compared with. */

/** encoder.py's bytes_to_unicode: printable Latin-1 stands for itself, the other bytes follow from U+0100. */
export function bytesToUnicode(): Map<number, string> {
  const range = (from: string, to: string) =>
    Array.from({ length: to.charCodeAt(0) - from.charCodeAt(0) + 1 }, (_, i) => from.charCodeAt(0) + i);
  const printable = [...range('!', '~'), ...range('¡', '¬'), ...range('®', 'ÿ')];
  const map = new Map(printable.map((byte) => [byte, String.fromCharCode(byte)]));
  let next = 256;
  for (let byte = 0; byte < 256; byte++) if (!map.has(byte)) map.set(byte, String.fromCharCode(next++));
  return map;
}

const PATTERN = /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu;
const BYTES = bytesToUnicode();

/** The tokens of a text that spells no control token. */
export function encodeWords(text: string, merges: ReadonlyMap<string, number>): string[] {
  return [...text.matchAll(PATTERN)].flatMap(([word]) => {
    const symbols = [...new TextEncoder().encode(word)].map((byte) => BYTES.get(byte)!);
    return mergeAll(symbols, merges);
  });
}

function mergeAll(symbols: string[], merges: ReadonlyMap<string, number>): string[] {
  for (;;) {
    const ranks = symbols.slice(1).map((right, i) => merges.get(`${symbols[i]} ${right}`) ?? Number.POSITIVE_INFINITY);
    const best = Math.min(...ranks);
    if (best === Number.POSITIVE_INFINITY) return symbols;
    const [left, right] = [symbols[ranks.indexOf(best)], symbols[ranks.indexOf(best) + 1]];
    const merged: string[] = [];
    for (let i = 0; i < symbols.length; i++) {
      if (symbols[i] === left && symbols[i + 1] === right) merged.push(left! + symbols[++i]);
      else merged.push(symbols[i]!);
    }
    symbols = merged;
  }
}
