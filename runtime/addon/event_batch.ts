/** Batches of an engine's events: numbers, as event_arrays.cpp packs them, to objects. */
import { typedError } from './errors.js';
import type { OnEvents } from './native.js';

/** A token with its natural log probability among all, before biases, penalties and sampling. */
export interface EngineTokenLogprob {
  /** Its id. */
  readonly token: number;
  /** At most 0; -Infinity where its logit is. */
  readonly logprob: number;
}

/** What an engine says of a sequence. Its first event is `begun`, unless it ends before; its last one is `end`. */
export type EngineEvent =
  | {
      /** The sequence waits no more. */
      readonly kind: 'begun';
      /** Which of the request's sequences. */
      readonly index: number;
      /** Tokens of the prompt that were in the KV cache already. */
      readonly cachedTokens: number;
    }
  | {
      /** `token`: one that was chosen. `prompt`: with `promptLogprobs`, one of the prompt, in order, before the first chosen one. */
      readonly kind: 'prompt' | 'token';
      /** Which of the request's sequences. */
      readonly index: number;
      /** Its id. */
      readonly token: number;
      /** After the tokens before it; NaN where none was asked for, and of a prompt's first token. */
      readonly logprob: number;
      /** The most probable tokens, as many as asked for, most probable first. */
      readonly top: readonly EngineTokenLogprob[];
    }
  | {
      /** The sequence has ended. */
      readonly kind: 'end';
      /** Which of the request's sequences. */
      readonly index: number;
      /** `stop`: the last token is a stop token; `length`: there are `maxTokens`; `context`: all positions are used. */
      readonly reason: 'stop' | 'length' | 'context' | 'cancelled' | 'error';
      /** Of the reason `error`. */
      readonly error?: unknown;
    };

/** Hears one event of a request. */
export type Hear = (request: number, event: EngineEvent) => void;

const NUMBERS = 8;
const KINDS = ['begun', 'prompt', 'token', 'end'] as const;
const REASONS = ['error', 'stop', 'length', 'context', 'cancelled', 'error'] as const; // none: an end has one

const NO_TOP: readonly EngineTokenLogprob[] = [];

/** Calls `hear` for each event of a batch, in order. */
export function readBatch([numbers, topTokens, topLogprobs, errors]: Parameters<OnEvents>, hear: Hear): void {
  let [topAt, errorAt] = [0, 0];
  for (let at = 0; at < numbers!.length; at += NUMBERS) {
    const [request, index, kind, token, logprob, tops, end, cachedTokens] = numbers!.subarray(at, at + NUMBERS);
    const top = () => ({ token: topTokens![topAt]!, logprob: topLogprobs![topAt++]! });
    const shared = { index: index! };
    const name = KINDS[kind!]!;
    if (name === 'begun') hear(request!, { kind: name, ...shared, cachedTokens: cachedTokens! });
    else if (name !== 'end') {
      const list = tops === 0 ? NO_TOP : Array.from({ length: tops! }, top);
      hear(request!, { kind: name, ...shared, token: token!, logprob: logprob!, top: list });
    } else {
      const reason = REASONS[end!]!;
      const why = reason === 'error' && { error: typedError((errors as readonly Error[])[errorAt++]) };
      hear(request!, { kind: name, ...shared, reason, ...why });
    }
  }
}
