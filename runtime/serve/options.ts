import type { Reading } from '../llm/answer/reader.js';
import type { ReadOptions } from '../llm/chat_prompt.js';
import type { ContinueOptions, Generation, LanguageModel, Message, TemplateOptions } from '../llm/index.js';
import type { PreparedPrompt } from '../llm/prepared_prompt.js';

/** What the server needs of a model; tests bring their own. */
export interface ServedModel
  extends Pick<LanguageModel, 'info' | 'activity' | 'statistics' | 'checkFormat' | 'tokenizeAsync' | 'detokenize'> {
  /** The prompt of a chat, and how its answers are read. */
  prepareChat(messages: readonly Message[], options?: TemplateOptions, read?: ReadOptions): Promise<PreparedPrompt>;
  /** So many texts that follow one prompt; each draws with the seed plus its index. `onPiece` hears a piece when it is made; `reading`: how each is taken apart. */
  generateMany(
    prompt: readonly number[],
    options: ContinueOptions,
    count: number,
    onPiece?: (index: number) => void,
    reading?: Reading,
  ): readonly Generation[];
}

export type LogFormat = 'text' | 'json' | 'none';

export interface ServeOptions {
  /** The model's id in the API; its name unless given. */
  readonly alias?: string | undefined;
  /** Whoever does not bring it is refused; the chat page and /health are open to all. */
  readonly apiKey?: string | undefined;
  /** Origins whose pages may call the API from a browser; `*` is all. */
  readonly cors?: readonly string[];
  /** Names of this server besides those of this machine, which matter where it asks for no key; `*` is all. */
  readonly allowedHosts?: readonly string[];
  /** Generations that may wait for their turn; more are answered with 429. */
  readonly queueLimit?: number;
  /** Bytes. */
  readonly bodyLimit?: number;
  /** Milliseconds that a client has to send its request. */
  readonly requestTimeout?: number;
  /** Milliseconds after which a client that takes nothing of a stream is dropped. */
  readonly stallTimeout?: number;
  readonly logFormat?: LogFormat;
  /** Where the log goes: stderr unless given. */
  readonly log?: (line: string) => void;
  /** Hears, once, that the log cannot be written. */
  readonly logBroken?: (problem: string) => void;
  /** More are closed as they come. */
  readonly maxConnections?: number;
}

export const DEFAULTS = {
  queueLimit: 64,
  bodyLimit: 1 << 20,
  maxConnections: 1024,
  requestTimeout: 60_000,
  stallTimeout: 60_000,
  logFormat: 'text',
} as const;
