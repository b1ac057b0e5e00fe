/** A model whose answers a test decides, for what a real one cannot be made to do at will: wait, fail, write for ever. */
import {
  type ContinueOptions,
  type EngineStatistics,
  type GenerateOptions,
  type Generation,
  type GenerationResult,
  type Message,
  type Piece,
  RealizarError,
  type TemplateOptions,
} from '../../runtime/index.js';
import type { ServedModel } from '../../runtime/serve/options.js';

export interface Script {
  readonly sequences?: number;
  readonly context?: number;
  /** Runs before each token; what it rejects with ends the generation. */
  readonly beforeToken?: (count: number, signal: AbortSignal) => Promise<void>;
  /** Ends it by itself after so many. */
  readonly length?: number;
  readonly token?: string;
  /** What ends it, as if it had been asked for. */
  readonly stopString?: string;
  /** The template puts documents into the prompt. */
  readonly showsDocuments?: boolean;
  /** No format can be enforced, for this reason. */
  readonly refuses?: string;
  readonly statistics?: Partial<EngineStatistics>;
}

export interface ScriptedModel extends ServedModel {
  readonly activity: { running: number; waiting: number };
  /** Of what was asked for so far, in order, and how many texts were to follow each prompt. */
  readonly options: GenerateOptions[];
  readonly prompts: (readonly number[])[];
  readonly counts: number[];
  /** How prompts were to be made of messages and texts. */
  readonly rendered: object[];
}

/** Tokens are UTF-16 units; a chat's prompt is the content of its messages. */
export function scriptedModel(script: Script = {}): ScriptedModel {
  const { sequences = 1, context = 4096 } = script;
  const activity = { running: 0, waiting: 0 };
  const options: GenerateOptions[] = [];
  const prompts: (readonly number[])[] = [];
  const counts: number[] = [];
  const rendered: object[] = [];
  const free: (() => void)[] = [];
  const tokenize = (text: string) => [...text].map((character) => character.charCodeAt(0));
  const slot = async (signal: AbortSignal) => {
    if (activity.running < sequences) {
      activity.running++;
      return;
    }
    activity.waiting++;
    await new Promise<void>((resolve) => {
      free.push(resolve);
      signal.addEventListener('abort', () => resolve(), { once: true });
    }).finally(() => activity.waiting--);
    signal.throwIfAborted();
    activity.running++;
  };
  const generate = (prompt: readonly number[], given: ContinueOptions, onPiece: () => void): Generation => {
    const pieces: Piece[] = [];
    let wake = () => {};
    const result = run(pieces, () => wake());
    result.catch(() => {});
    return { result, [Symbol.asyncIterator]: iterate };

    async function run(made: Piece[], changed: () => void): Promise<GenerationResult> {
      const signal = given.signal ?? new AbortController().signal;
      await slot(signal);
      try {
        const limit = Math.min(given.maxTokens ?? context, script.length ?? context);
        while (made.length < limit) {
          await script.beforeToken?.(made.length, signal);
          signal.throwIfAborted();
          made.push({ text: script.token ?? 'x', token: 120, ...(given.logprobs !== undefined && LOGPROB) });
          onPiece();
          changed();
        }
        const ended = script.length !== undefined && made.length === script.length;
        const scored = given.promptLogprobs && { promptLogprobs: prompt.map(scoreOf) };
        return {
          ...resultOf(made, prompt, ended),
          ...scored,
          ...(script.stopString && { stopString: script.stopString }),
        };
      } finally {
        activity.running--;
        free.shift()?.();
      }
    }

    async function* iterate(): AsyncGenerator<Piece> {
      let ended = false;
      const end = () => {
        ended = true;
        wake();
      };
      void result.then(end, end);
      for (let i = 0; ; ) {
        const piece = pieces[i];
        if (piece) {
          i++;
          yield piece;
        } else if (ended) {
          await result;
          return;
        } else {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
      }
    }
  };
  return {
    activity,
    options,
    prompts,
    counts,
    rendered,
    info: {
      name: 'scripted',
      sequences,
      context,
      vocabSize: 256,
      canChat: true,
      parameters: 0,
      weightsBytes: 0,
    } as never,
    statistics: () => ({ ...STATISTICS, ...activity, ...script.statistics }),
    generateMany: (prompt, given, count, onPiece = () => {}) => {
      options.push(given);
      prompts.push(prompt);
      counts.push(count);
      return Array.from({ length: count }, (_, index) => generate(prompt, given, () => onPiece(index)));
    },
    prepareChat: async (messages: readonly Message[], how: TemplateOptions = {}) => {
      rendered.push(how);
      const documents = script.showsDocuments ? JSON.stringify(how.templateVariables?.documents ?? '') : '';
      return { tokens: tokenize(messages.map(({ content }) => String(content)).join('') + documents) };
    },
    checkFormat: async (format) => {
      if (script.refuses !== undefined)
        throw new RealizarError(1, 'INVALID_ARGUMENT', `${script.refuses}: ${JSON.stringify(format)}`);
    },
    tokenizeAsync: async (text, how = {}) => {
      rendered.push(how);
      return tokenize(text);
    },
    detokenize: (tokens) => String.fromCharCode(...tokens),
  };
}

const bytesOf = (token: number) => new Uint8Array([token]);
/** A token of the prompt, whose log probability is its place. */
const scoreOf = (token: number, i: number) => ({
  ...{ token, text: String.fromCharCode(token), bytes: bytesOf(token), topLogprobs: [] },
  ...(i > 0 && { logprob: -i }),
});
const LOGPROB = { logprob: -0.5, bytes: bytesOf(120), topLogprobs: [] };

const STATISTICS: EngineStatistics = {
  ...{ sequences: 1, context: 4096, running: 0, waiting: 0, steps: 0, rows: 0, preemptions: 0, kvBytes: 0 },
  ...{ pages: 8, freePages: 8, windowPages: 0, freeWindowPages: 0, cachedPages: 0 },
  ...{ promptTokens: 0, prefixHitTokens: 0, chosenTokens: 0 },
};

const resultOf = (pieces: readonly Piece[], prompt: readonly number[], ended: boolean): GenerationResult => ({
  text: pieces.map(({ text }) => text).join(''),
  tokens: pieces.map(({ token }) => token),
  promptTokens: prompt.length,
  cachedTokens: 0,
  completionTokens: pieces.length,
  stopReason: ended ? 'eos' : 'length',
  seed: 0,
  timings: { waiting: 1, prompt: 2, generation: 3 },
});
