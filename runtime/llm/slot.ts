/** A sequence slot: one session of a model, which one generation at a time has, and the tokens that its KV cache holds. */
import type { Model, Sampling, Session } from '../addon/index.js';
import { LogProbabilities } from './logprobs.js';

export interface Request {
  readonly prompt: readonly number[];
  /** At most so many tokens; prompt and tokens fit in the context. */
  readonly count: number;
  readonly sampling: Sampling;
  /** The first of these ends it, and is handed over. */
  readonly stopTokens: readonly number[];
  /** Give log probabilities, and so many alternatives. */
  readonly logprobs: number | undefined;
  readonly signal: AbortSignal;
}

export interface Chosen {
  readonly token: number;
  readonly logprob?: number;
  readonly top?: readonly { readonly token: number; readonly logprob: number }[];
}

export class Slot {
  #session: Session | undefined;
  #tokens: readonly number[] = [];

  constructor(private readonly model: Model) {}

  /** Tokens that its KV cache holds. */
  get size(): number {
    return this.#tokens.length;
  }

  /** How many tokens at the start of a prompt it holds. */
  common(prompt: readonly number[]): number {
    const most = Math.min(prompt.length, this.#tokens.length);
    let count = 0;
    while (count < most && prompt[count] === this.#tokens[count]) count++;
    return count;
  }

  /** Opens its session where it has none. */
  async open(): Promise<Session> {
    if (this.#session) return this.#session;
    const session = await this.model.createSession();
    try {
      await session.buildGraph();
    } catch (error) {
      await session.close();
      throw error;
    }
    this.#session = session;
    return session;
  }

  /** Frees its session: after a failure nobody knows what the KV cache holds. */
  async reset(): Promise<void> {
    const session = this.#session;
    this.#session = undefined;
    this.#tokens = [];
    await session?.close();
  }

  /** Hands over what follows the prompt, a token at a time. `cached` hears how much of the prompt was there already. */
  async *generate(request: Request, cached: (tokens: number) => void): AsyncGenerator<Chosen, void, undefined> {
    const { prompt, sampling } = request;
    const session = await this.open();
    const kept = Math.min(this.common(prompt), prompt.length - 1); // the last one is fed for its logits
    cached(kept);
    await session.rewind(kept);
    await session.setSampling(sampling);
    const fed = [...prompt];
    try {
      const rest = prompt.slice(kept);
      const tokens = request.logprobs === undefined ? run(session, rest, request) : step(session, rest, request);
      for await (const chosen of tokens) {
        fed.push(chosen.token);
        yield chosen;
      }
    } finally {
      // The last token has not been fed, nor has, if it was aborted, all of the prompt.
      if (this.#session === session) this.#tokens = fed.slice(0, session.position);
    }
  }
}

/** Queued ahead of what is handed over. */
async function* run(session: Session, prompt: readonly number[], request: Request): AsyncGenerator<Chosen> {
  const { count, stopTokens, signal } = request;
  for await (const token of session.generate({ prompt, maxTokens: count, stopTokens, signal })) yield { token };
}

/** Each step waits for the one before it, whose logits it reads. */
async function* step(session: Session, prompt: readonly number[], request: Request): AsyncGenerator<Chosen> {
  const { count, stopTokens, signal, logprobs = 0 } = request;
  await session.prefill(prompt, { signal });
  for (let done = 0; done < count; done++) {
    signal.throwIfAborted();
    const token = await session.chosen();
    const probabilities = new LogProbabilities(await session.logits());
    const top = probabilities.top(logprobs).map((token) => ({ token, logprob: probabilities.of(token) }));
    yield { token, logprob: probabilities.of(token), top };
    if (stopTokens.includes(token) || done + 1 === count) return;
    await session.step(token);
  }
}
