/** The one place where a prompt becomes a text: a sequence's events to pieces and a result. */
import type { EngineEvent, EngineRequest, EngineTokenLogprob } from '../addon/index.js';
import type { Tokenizer } from '../text/tokenizer.js';
import { AnswerPieces } from './answer/pieces.js';
import { delimitersOf, type Reading } from './answer/reader.js';
import type { Settings } from './options.js';
import { type Choice, PieceStream } from './pieces.js';
import type { Sequence } from './shared_prompt.js';
import type { GenerationResult, Piece, PromptToken, StopReason, TokenLogprob } from './types.js';

export interface WriteRequest {
  readonly prompt: readonly number[];
  readonly settings: Settings;
  /** The text goes on with that of the prompt. */
  readonly continues: boolean;
  /** Positions for prompt and answer. */
  readonly context: number;
  /** Which of several texts that follow the prompt. */
  readonly index: number;
  /** How an answer is taken apart; not at all unless given. */
  readonly reading?: Reading | undefined;
}

type TokenEvent = Extract<EngineEvent, { readonly kind: 'prompt' | 'token' }>;

const roomOf = ({ prompt, context }: Pick<WriteRequest, 'prompt' | 'context'>) => context - prompt.length;
const stopTokensOf = ({ ignoreEos }: Settings, tokenizer: Tokenizer) => (ignoreEos ? [] : tokenizer.endIds);

/** What is asked of the engine. */
export function engineRequest(request: Omit<WriteRequest, 'index'>, tokenizer: Tokenizer): EngineRequest {
  const { prompt, settings } = request;
  const { sampling, maxTokens, promptLogprobs } = settings;
  const logprobs = settings.logprobs ?? (promptLogprobs ? 0 : undefined);
  return {
    prompt,
    maxTokens: Math.min(maxTokens, roomOf(request)),
    sampling,
    stopTokens: stopTokensOf(settings, tokenizer),
    ...(logprobs !== undefined && { logprobs, promptLogprobs }),
  };
}

export async function write(
  { events }: Sequence,
  tokenizer: Tokenizer,
  request: WriteRequest,
  emit: (piece: Piece) => void,
): Promise<GenerationResult> {
  const { prompt, settings, reading } = request;
  const shown = new Set(reading && tokenizer.controlIds(delimitersOf(reading)));
  const pieces = new PieceStream(tokenizer, settings.stops, { ...request, shown });
  const answer = reading && new AnswerPieces(reading);
  const tokens: number[] = [];
  const texts: string[] = [];
  const promptLogprobs: PromptToken[] = [];
  const start = performance.now();
  let textBegun = false;
  let [begun, first, last, cachedTokens] = [0, 0, 0, 0];
  let stopReason: StopReason = settings.maxTokens <= roomOf(request) ? 'length' : 'context';
  const handOver = (ready: readonly Piece[]) => {
    for (const piece of ready) {
      texts.push(piece.text);
      emit(piece);
    }
  };

  const stopTokens = stopTokensOf(settings, tokenizer);
  for await (const event of events) {
    if (event.kind === 'begun') {
      begun = performance.now();
      cachedTokens = event.cachedTokens;
    } else if (event.kind === 'prompt') {
      promptLogprobs.push(describePrompt(event, tokenizer, { continues: textBegun }));
      textBegun ||= !tokenizer.isControl(event.token);
    } else if (event.kind === 'end') {
      if (event.reason === 'error') throw event.error;
    } else {
      last = performance.now();
      first ||= last;
      if (stopTokens.includes(event.token)) {
        stopReason = 'eos';
        continue; // its end follows
      }
      tokens.push(event.token);
      const ready = pieces.push(describe(event, settings, tokenizer));
      handOver(answer ? ready.flatMap((piece) => answer.push(piece)) : ready);
      if (pieces.stopString !== undefined || answer?.ended) {
        stopReason = 'stop';
        break;
      }
    }
  }
  const rest = pieces.end();
  handOver(answer ? [...rest.flatMap((piece) => answer.push(piece)), ...answer.end()] : rest);
  const end = performance.now();
  return {
    text: texts.join(''),
    ...answer?.summary,
    tokens,
    promptTokens: prompt.length,
    cachedTokens,
    completionTokens: tokens.length,
    stopReason,
    ...(pieces.stopString !== undefined && { stopString: pieces.stopString }),
    ...(promptLogprobs.length > 0 && { promptLogprobs }),
    seed: seedOf(settings, request.index),
    timings: { waiting: (begun || end) - start, prompt: (first || end) - (begun || end), generation: last - first },
  };
}

/** The engine adds the index to the seed, in 64 bits. */
function seedOf({ sampling: { seed } }: Settings, index: number): number | bigint {
  if (index === 0) return seed;
  const sum = BigInt.asUintN(64, BigInt(seed) + BigInt(index));
  return typeof seed === 'number' && sum <= Number.MAX_SAFE_INTEGER ? Number(sum) : sum;
}

function describe({ token, logprob, top }: TokenEvent, { logprobs }: Settings, tokenizer: Tokenizer): Choice {
  if (logprobs === undefined) return { token };
  const bytes = tokenizer.bytes(token, { continues: true });
  return { token, logprob, bytes, topLogprobs: top.map((one) => named(one, tokenizer)) };
}

function describePrompt({ token, logprob, top }: TokenEvent, tokenizer: Tokenizer, where: Where): PromptToken {
  const { logprob: _, ...name } = named({ token, logprob }, tokenizer, where);
  const topLogprobs = top.map((one) => named(one, tokenizer));
  return { ...name, ...(!Number.isNaN(logprob) && { logprob }), topLogprobs };
}

interface Where {
  readonly continues: boolean;
}

function named(
  { token, logprob }: EngineTokenLogprob,
  tokenizer: Tokenizer,
  where = { continues: true },
): TokenLogprob {
  return { token, text: tokenizer.decode([token], where), bytes: tokenizer.bytes(token, where), logprob };
}
