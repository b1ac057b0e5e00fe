/** What a generation came to, in a line. */
import type { GenerationResult } from '../llm/index.js';

const WHY: Record<GenerationResult['stopReason'], string> = {
  eos: 'the model ended it',
  stop: 'a stop text came',
  length: '--max-tokens reached',
  context: 'the context is full',
};

export function describeResult(result: GenerationResult): string {
  const { promptTokens, cachedTokens, completionTokens, stopReason, seed, timings } = result;
  const fed = promptTokens - cachedTokens;
  const prompt = `prompt ${promptTokens} tokens${cachedTokens > 0 ? ` (${cachedTokens} known)` : ''}, ${pace(fed, timings.prompt)}`;
  // The first token comes with the end of the prompt.
  const answer = `${completionTokens} tokens, ${pace(completionTokens - 1, timings.generation)}`;
  return `${prompt}; ${answer}; ${WHY[stopReason]}; seed ${seed}`;
}

function pace(tokens: number, milliseconds: number): string {
  return tokens > 0 && milliseconds > 0 ? `${((tokens / milliseconds) * 1000).toFixed(1)} tokens/s` : 'no pace';
}
