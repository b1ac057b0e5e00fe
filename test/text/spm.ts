/** SentencePiece's BPE the slow, obvious way: join the neighbours that make the best token, as long as there are some. */
export function encodeSlowly(text: string, scores: ReadonlyMap<string, number>): string[] {
  const symbols = [...text.replaceAll(' ', '▁')];
  for (;;) {
    let best = -1;
    let bestScore = Number.NEGATIVE_INFINITY;
    for (let i = 0; i + 1 < symbols.length; i++) {
      const score = scores.get(symbols[i]! + symbols[i + 1]!);
      if (score !== undefined && score > bestScore) [best, bestScore] = [i, score];
    }
    if (best < 0) break;
    symbols.splice(best, 2, symbols[best]! + symbols[best + 1]!);
  }
  const bytes = (symbol: string) =>
    Array.from(Buffer.from(symbol), (byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`);
  return symbols.flatMap((symbol) => (scores.has(symbol) ? [symbol] : bytes(symbol)));
}
