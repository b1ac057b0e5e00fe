/** The one place where a prompt becomes a text: a slot's tokens to pieces and a result. */
import type { Tokenizer } from '../text/tokenizer.js';
import type { Settings } from './options.js';
import { type Choice, PieceStream } from './pieces.js';
import type { Chosen, Slot } from './slot.js';
import type { GenerationResult, Piece, StopReason, TokenLogprob } from './types.js';

export interface WriteRequest {
  readonly prompt: readonly number[];
  readonly settings: Settings;
  /** The text goes on with that of the prompt. */
  readonly continues: boolean;
  /** Positions for prompt and answer. */
  readonly context: number;
  /** Milliseconds that it waited for the slot. */
  readonly waited: number;
  readonly signal: AbortSignal;
}

export async function write(
  slot: Slot,
  tokenizer: Tokenizer,
  request: WriteRequest,
  emit: (piece: Piece) => void,
): Promise<GenerationResult> {
  const { prompt, settings, signal } = request;
  const room = request.context - prompt.length;
  const count = Math.min(settings.maxTokens, room);
  const pieces = new PieceStream(tokenizer, settings.stops, request);
  const tokens: number[] = [];
  const texts: string[] = [];
  const start = performance.now();
  let [first, last, cachedTokens] = [0, 0, 0];
  let stopReason: StopReason = settings.maxTokens <= room ? 'length' : 'context';
  const handOver = (ready: readonly Piece[]) => {
    for (const piece of ready) {
      texts.push(piece.text);
      emit(piece);
    }
  };

  const stopTokens = settings.ignoreEos ? [] : tokenizer.endIds;
  const chosen = slot.generate(
    { prompt, count, stopTokens, signal, sampling: settings.sampling, logprobs: settings.logprobs },
    (cached) => {
      cachedTokens = cached;
    },
  );
  for await (const one of chosen) {
    last = performance.now();
    first ||= last;
    if (stopTokens.includes(one.token)) {
      stopReason = 'eos';
      break;
    }
    tokens.push(one.token);
    handOver(pieces.push(describe(one, tokenizer)));
    if (pieces.stopString !== undefined) {
      stopReason = 'stop';
      break;
    }
  }
  handOver(pieces.end());
  return {
    text: texts.join(''),
    tokens,
    promptTokens: prompt.length,
    cachedTokens,
    completionTokens: tokens.length,
    stopReason,
    ...(pieces.stopString !== undefined && { stopString: pieces.stopString }),
    seed: settings.sampling.seed,
    timings: { waiting: request.waited, prompt: (first || performance.now()) - start, generation: last - first },
  };
}

function describe({ token, logprob, top }: Chosen, tokenizer: Tokenizer): Choice {
  if (logprob === undefined || top === undefined) return { token };
  const bytes = tokenizer.bytes(token, { continues: true });
  return { token, logprob, bytes, topLogprobs: top.map(({ token, logprob }) => named(token, logprob, tokenizer)) };
}

function named(token: number, logprob: number, tokenizer: Tokenizer): TokenLogprob {
  const bytes = tokenizer.bytes(token, { continues: true });
  return { token, text: tokenizer.decode([token], { continues: true }), bytes, logprob };
}
