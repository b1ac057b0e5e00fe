/** Times sequences on an engine. */
import type { Engine } from '../../addon/index.js';
import { RunError } from '../exit.js';

export interface TimedLoad {
  /** Sequences that are submitted at once. */
  readonly count: number;
  /** Tokens of the prompt of each. */
  readonly prompt: number;
  /** Tokens that follow it. */
  readonly generate: number;
}

/** Tokens of all sequences a second. */
export interface TimedRates {
  /** Until each has its first token. */
  readonly prompt: number;
  /** From there on; 0 where no token comes after. */
  readonly decode: number;
}

export class EngineClock {
  #prompts = 0;

  constructor(
    private readonly engine: Engine,
    private readonly vocabSize: number,
    private readonly signal: AbortSignal,
  ) {}

  async run({ count, prompt, generate }: TimedLoad): Promise<TimedRates> {
    const start = performance.now();
    const times = await Promise.all(Array.from({ length: count }, () => this.#sequence(prompt, generate)));
    const begun = Math.max(...times.map(([first]) => first!));
    const end = Math.max(...times.map((all) => all.at(-1)!));
    const later = times.flat().filter((time) => time > begun).length;
    return {
      prompt: ((count * prompt) / (begun - start)) * 1000,
      decode: later > 0 ? (later / (end - begun)) * 1000 : 0,
    };
  }

  /** When its tokens came. */
  async #sequence(length: number, maxTokens: number): Promise<number[]> {
    const times: number[] = [];
    const prompt = this.#newPrompt(length);
    for await (const event of this.engine.submit({ prompt, maxTokens, signal: this.signal })) {
      if (event.kind === 'token') times.push(performance.now());
      else if (event.kind === 'end' && event.reason === 'error') throw event.error;
    }
    if (times.length !== maxTokens) throw new RunError(`expected ${maxTokens} tokens, and ${times.length} came`);
    return times;
  }

  /** Begins as none before it, so that nothing of it is in the KV cache. Otherwise any token will do. */
  #newPrompt(length: number): number[] {
    const first = this.#prompts++ % this.vocabSize;
    return [first, ...Array<number>(length - 1).fill(this.vocabSize >> 1)];
  }
}
