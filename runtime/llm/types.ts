/** What a program sees of a model that writes text; `loadModel` makes one. */
import type { EngineStatistics, Sampling } from '../addon/index.js';
import type { Format } from '../format/format.js';
import type { ToolCall, ToolCallDelta } from './answer/parts.js';

export type { Format } from '../format/format.js';
export type { ToolCall, ToolCallDelta };

/** What `loadModel` is doing. */
export interface LoadProgress {
  /** text (the vocabulary); addon (where it has to be built first), driver, file, code, memory, weights, repack, engine. */
  readonly phase: string;
  /** 0 when the phase starts, `total` when it has ended; for weights bytes between them. */
  readonly done: number;
  /** Bytes of the model file for weights, 1 for the others. */
  readonly total: number;
}

/** How `loadModel` loads. */
export interface LoadOptions {
  /**
   * The GGUF file that the artifact was compiled from: a path or a file: URL. Unless given, where it was when the artifact
   * was compiled (model-path.json of the artifact).
   */
  readonly model?: string | URL;
  /** Positions that a generation may use, prompt and answer; at most those of the artifact, which is the default. */
  readonly context?: number;
  /** GPU ordinal; 0, the first, unless given. */
  readonly device?: number;
  /**
   * Compare the library with its SHA-256 in the artifact's manifest before it is loaded, so that a damaged one is refused and
   * not run. True unless given.
   */
  readonly checkLibrary?: boolean;
  /** File of a public Ed25519 key in PEM: refuse an artifact whose manifest its owner has not signed. */
  readonly key?: string | URL;
  /**
   * How many generations run at once; others wait in order. 1 unless given, since memory is taken for so many of the whole
   * context, unless `kvMemory` is given. 0: as many as a step can choose tokens for.
   */
  readonly sequences?: number;
  /** The old name of `sequences`, from 1. */
  readonly sessions?: number;
  /**
   * Bytes of device memory for KV cache, which all generations share. Unless given enough for `sequences` of the whole
   * context, or what is free less a tenth of the device's memory, whichever is less.
   */
  readonly kvMemory?: number;
  /**
   * The same text alone as beside others, by the same bits. Unless given, a generation that is alone is computed by a faster
   * program whose logits differ in the last bits, so that a near tie may fall the other way.
   */
  readonly deterministic?: boolean;
  /** Chats use ChatML, or this Jinja template, whatever template the model file has or lacks; or one of its templates by name. */
  readonly chatTemplate?:
    | 'chatml'
    | {
        /** The template itself. */
        readonly source: string;
      }
    | {
        /** Of several templates of the model, such as "rag". */
        readonly name: string;
      };
  /**
   * How the model writes calls of functions: `auto`, what its chat template says; `none`, calls are text; or a format by name:
   * hermes, function-parameters, glm, mistral, llama, harmony.
   */
  readonly toolFormat?: string;
  /** Called on the event loop while the model is loaded; never after the promise has settled. */
  readonly onProgress?: (progress: LoadProgress) => void;
  /** Gives the load up: it rejects with the signal's reason, and what has been loaded by then is freed. */
  readonly signal?: AbortSignal;
}

/** What is known of a loaded model. Sizes in bytes. */
export interface LanguageModelInfo {
  /** The model file's stem. */
  readonly name: string;
  /** `general.architecture` of the model file: llama, qwen2, ... */
  readonly architecture: string;
  /** Positions that a generation may use. */
  readonly context: number;
  /** Positions that the artifact was compiled for; `context` is at most this. */
  readonly compiledContext: number;
  /** Tokens of the vocabulary. */
  readonly vocabSize: number;
  /** Weights of the model file, in numbers. */
  readonly parameters: number;
  /** Device memory for the weights. */
  readonly weightsBytes: number;
  /** Generations that run at once. */
  readonly sequences: number;
  /** Device memory for KV cache, which all generations share. */
  readonly kvBytes: number;
  /** The old name of `sequences`. */
  readonly sessions: number;
  /** Device memory that a session of `openModel` takes: KV cache of the whole compiled context, and activations. */
  readonly sessionBytes: number;
  /** The GPU's name, or what stands for it on the host target. */
  readonly device: string;
  /** What the model was compiled for; `host` is the simulator. */
  readonly target: 'cuda' | 'host';
  /** Put before a text; undefined where the vocabulary has none. */
  readonly bosToken: number | undefined;
  /** Any of these ends a text or a turn. */
  readonly endTokens: readonly number[];
  /** There is a chat template, of the file's or as asked for, so that chats work. */
  readonly canChat: boolean;
  /** Of the GGUF file, absolute. */
  readonly modelPath: string;
  /** Of the artifact's folder, absolute. */
  readonly artifactPath: string;
  /** Version of realizar-compile that compiled it. */
  readonly compilerVersion: string;
}

/** How one text is generated. What is left out is off; without a temperature the choice is greedy. */
export interface GenerateOptions extends Omit<Sampling, 'logitBias' | 'seed'> {
  /** At most so many tokens, from 0; as many as the context has room for unless given. */
  readonly maxTokens?: number;
  /** The text ends before the first of these. No part of one that is completed is handed over. At most 16, none empty. */
  readonly stop?: string | readonly string[];
  /** 64 bits. The same seed, options and prompt give the same text. Unless given a new one each time; the result has it. */
  readonly seed?: number | bigint;
  /** Added to the logits of tokens, by id; -Infinity bans one. At most 1024. */
  readonly logitBias?: Sampling['logitBias'] | Readonly<Record<number, number>>;
  /** Give the log probability of each token, and so many alternatives (0 to 100). */
  readonly logprobs?: number;
  /** Go on where the model wants to end: its end tokens are banned. */
  readonly ignoreEos?: boolean;
  /**
   * The text is of this format, unless `maxTokens`, the context or a stop string ends it before: a JSON schema, a regular expression,
   * a grammar, or some texts. What cannot be enforced rejects with INVALID_ARGUMENT, and names it. Biases that ban all that the format
   * allows end it with NOT_A_NUMBER.
   */
  readonly format?: Format;
  /** Ends the generation within a token and frees its KV cache; iteration and result reject with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** How {@link LanguageModel.generate} continues a prompt. */
export interface ContinueOptions extends GenerateOptions {
  /** The text goes on with the prompt's: a space before its first word is kept. True unless given; false after encodeChat. */
  readonly continues?: boolean;
  /**
   * Give the log probability of each token of the prompt, with as many alternatives as `logprobs` says. The prompt is then
   * computed whole; with `maxTokens: 0` nothing else is.
   */
  readonly promptLogprobs?: boolean;
}

/** One token with its natural log probability among all, before biases, penalties and sampling. */
export interface TokenLogprob {
  /** Its id. */
  readonly token: number;
  /** U+FFFD where its bytes are no whole characters. */
  readonly text: string;
  /** UTF-8 of the token, which need not be whole characters. */
  readonly bytes: Uint8Array;
  /** At most 0; -Infinity where its logit is. */
  readonly logprob: number;
}

/** One token of a prompt, with its natural log probability after those before it. */
export interface PromptToken extends Omit<TokenLogprob, 'logprob'> {
  /** Absent of the first token, which follows nothing. */
  readonly logprob?: number;
  /** The most probable tokens at its place, most probable first. */
  readonly topLogprobs: readonly TokenLogprob[];
}

/** One token of a generation. */
export interface Piece {
  /**
   * The text that this token completes: whole characters, empty where a character goes on in the next token or the text is
   * part of a stop string, of a call or of what the model thinks. All of them together are the text of the result.
   */
  readonly text: string;
  /** Of a chat: what the model thinks before it answers, where this token completes some of that. */
  readonly reasoning?: string;
  /** Of a chat with tools: what this token completes of calls. */
  readonly toolCalls?: readonly ToolCallDelta[];
  /** Its id. */
  readonly token: number;
  /** With `logprobs`: of this token. */
  readonly logprob?: number;
  /** With `logprobs`: UTF-8 of the token, which need not be whole characters. */
  readonly bytes?: Uint8Array;
  /** With `logprobs`: the most probable tokens, as many as asked for, most probable first. */
  readonly topLogprobs?: readonly TokenLogprob[];
}

/**
 * Why a generation ended: `eos` the model ended it, `stop` a stop string came, `length` there are `maxTokens`, `context`
 * the context is full.
 */
export type StopReason = 'eos' | 'stop' | 'length' | 'context';

/** Milliseconds. */
export interface Timings {
  /** Until its turn came. */
  readonly waiting: number;
  /** From there to the first token: what of the prompt was not in the KV cache yet. */
  readonly prompt: number;
  /** From the first token to the last. */
  readonly generation: number;
}

/** What a generation came to. */
export interface GenerationResult {
  /** Of all pieces, without a stop string. */
  readonly text: string;
  /** Of a chat: what the model thought before it answered, where it did. */
  readonly reasoning?: string;
  /** Of a chat: tokens of that, and of what frames it. */
  readonly reasoningTokens?: number;
  /** Of a chat with tools: the calls that the model wrote, where it wrote any. */
  readonly toolCalls?: readonly ToolCall[];
  /** Those handed over, without the end token, with those of a stop string. */
  readonly tokens: readonly number[];
  /** Tokens of the prompt. */
  readonly promptTokens: number;
  /** Of the prompt, those that were in the KV cache already. */
  readonly cachedTokens: number;
  /** `tokens.length`. */
  readonly completionTokens: number;
  /** Why it ended. */
  readonly stopReason: StopReason;
  /** The stop string that ended it. */
  readonly stopString?: string;
  /** With `promptLogprobs`: the tokens of the prompt. */
  readonly promptLogprobs?: readonly PromptToken[];
  /** As given, or as chosen where none was and a temperature is set: with it the same text comes again. */
  readonly seed: number | bigint;
  /** What it took. */
  readonly timings: Timings;
}

/**
 * A text that is being generated: iterate it for its pieces, or await {@link Generation.result}, or both. It runs whether or not
 * anybody iterates. It can be iterated once; leaving the loop ends it within a token and frees its KV cache (the result
 * then rejects with an AbortError). A failure rejects both; a rejected result that nobody looks at is no unhandled rejection.
 */
export interface Generation extends AsyncIterable<Piece> {
  /** Settles when its place is free again. */
  readonly result: Promise<GenerationResult>;
}

/** A message of a chat. */
export interface Message {
  /** system, developer (the same), user, assistant, tool, function, or another one that the template names. */
  readonly role: string;
  /**
   * A text, or a list of parts `{type: 'text', text}`, which become lines of one text. Of an assistant's message it may be left
   * out or null, as beside `tool_calls`.
   */
  readonly content?: unknown;
  /** Whatever else the template knows: tool_calls, name, reasoning_content, ... */
  readonly [key: string]: unknown;
}

/** How messages become a prompt. */
export interface TemplateOptions {
  /** End with what starts the model's answer; true unless given. */
  readonly addGenerationPrompt?: boolean;
  /**
   * Functions that the model may call, as the chat APIs have them: `{type: 'function', function: {name, description, parameters}}`.
   * Refused with CHAT_TEMPLATE where the template shows nothing of them. Calls stay text where the template writes them in a
   * format that is not known.
   */
  readonly tools?: readonly unknown[];
  /** Further variables of the template: enable_thinking, reasoning_effort, documents, ...; any JSON. */
  readonly templateVariables?: Readonly<Record<string, unknown>>;
}

/** How {@link LanguageModel.generateChat} answers. */
export interface GenerateChatOptions extends GenerateOptions, Omit<TemplateOptions, 'addGenerationPrompt'> {}

/** How a {@link Chat} is kept. */
export interface ChatOptions extends Omit<TemplateOptions, 'addGenerationPrompt'> {
  /** The chat begins with these; a system prompt is one of them. */
  readonly messages?: readonly Message[];
  /**
   * When the context has no room for the history and an answer: `error`, the default, refuses with CONTEXT_OVERFLOW;
   * `shift` leaves the oldest turns, though never system messages at the start, out of what the model sees.
   */
  readonly whenFull?: 'error' | 'shift';
}

/** A conversation with its history. What the model has seen of it is not computed again while its KV cache is not needed for others. */
export interface Chat {
  /**
   * Adds a message of the user, or another, or several, such as what functions returned, and generates the answer. When that has
   * ended, message and answer are in the history, with what the model thought and its calls. A generation that is aborted leaves its text so far there; one that fails, or ends before its first text,
   * leaves the history as it was. One at a time: another is refused with BUSY until it has ended.
   */
  send(message: string | Message | readonly Message[], options?: GenerateOptions): Generation;
  /** The history, a new array. */
  readonly messages: readonly Message[];
  /** How many of the oldest messages the model does not see any more (`whenFull: 'shift'`), system messages not counted. */
  readonly droppedMessages: number;
  /** Back to the messages that the chat began with, or to others. Refused with BUSY while an answer is generated. */
  reset(messages?: readonly Message[]): void;
}

/** How text becomes tokens. */
export interface TokenizeOptions {
  /** Put the begin and end tokens around it that the model wants; true unless given. */
  readonly addSpecial?: boolean;
  /** A control token that is spelled out becomes that token; true unless given. False for untrusted text. */
  readonly parseSpecial?: boolean;
}

/** How tokens become text. */
export interface DetokenizeOptions {
  /** Leave control tokens out; false unless given. */
  readonly skipSpecial?: boolean;
  /** The tokens continue a text: a space before the first word is kept. False unless given. */
  readonly continues?: boolean;
}

/** How many generations a model has. */
export interface Activity {
  /** At most `info.sequences`. */
  readonly running: number;
  /** For their turn. */
  readonly waiting: number;
}

/**
 * A model on a device, ready to write. Methods throw, generations reject with a RealizarError, whose `statusName` says which:
 * INVALID_ARGUMENT, CONTEXT_OVERFLOW, CHAT_TEMPLATE, BUSY, CLOSED, or one of realizar.h. A failed generation concerns no other.
 */
export interface LanguageModel {
  /** What is known of it. */
  readonly info: LanguageModelInfo;
  /** What it is doing now. */
  readonly activity: Activity;
  /** What its engine is doing, and has done since it was opened: memory, steps, tokens. */
  statistics(): EngineStatistics;
  /**
   * Continues a prompt. A text is tokenized with begin token and control tokens, as by {@link LanguageModel.tokenize};
   * token ids are taken as they are. A prompt that the context cannot hold is refused with a {@link ContextOverflowError}.
   */
  generate(prompt: string | readonly number[], options?: ContinueOptions): Generation;
  /** Answers messages, without keeping a history. What control tokens messages spell out stays text. */
  generateChat(messages: readonly Message[], options?: GenerateChatOptions): Generation;
  /** Starts a conversation. Any number of them share the KV cache. */
  chat(options?: ChatOptions): Chat;
  /** Token ids of a text, on the event loop: a megabyte may take seconds. */
  tokenize(text: string, options?: TokenizeOptions): number[];
  /** The same; a long text is tokenized by a thread. */
  tokenizeAsync(text: string, options?: TokenizeOptions): Promise<number[]>;
  /** Bytes that are no UTF-8 become U+FFFD. */
  detokenize(tokens: readonly number[], options?: DetokenizeOptions): string;
  /** The prompt as text, to be read. To generate, use {@link LanguageModel.generateChat}. */
  applyChatTemplate(messages: readonly Message[], options?: TemplateOptions): Promise<string>;
  /** The prompt as tokens, what control tokens messages spell out left as text. */
  encodeChat(messages: readonly Message[], options?: TemplateOptions): Promise<number[]>;
  /**
   * Whether texts can be held to this format: rejects with INVALID_ARGUMENT where they cannot, and names what is not enforced and where.
   * Generations with a format do this themselves.
   */
  checkFormat(format: Format): Promise<void>;
  /** Ends what runs, with CLOSED, and frees the device's memory. Closing twice is allowed. */
  close(): Promise<void>;
  /** {@link LanguageModel.close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>;
}
