/** Pieces of an answer, taken apart. */
import type { GenerationResult, Piece } from '../types.js';
import { type AnswerDelta, AnswerReader, type Reading } from './reader.js';

/** Hands pieces over with what each completes of text, reasoning and calls. A piece waits while it is not known what it is. */
export class AnswerPieces {
  readonly #reader: AnswerReader;
  #reasoning = '';
  #reasoningTokens = 0;
  #waiting: { readonly piece: Piece; readonly delta: AnswerDelta } | undefined;

  constructor(reading: Reading) {
    this.#reader = new AnswerReader(reading);
  }

  /** The answer is to end here. */
  get ended(): boolean {
    return this.#reader.ended;
  }

  push(piece: Piece): Piece[] {
    const ready = this.#release();
    this.#waiting = { piece, delta: this.#reader.push(piece.text) };
    if (this.#reader.isReasoning) this.#reasoningTokens++;
    return this.#reader.pending ? ready : [...ready, ...this.#release()];
  }

  /** The rest, once there are no more. */
  end(): Piece[] {
    const rest = this.#reader.end();
    if (!this.#waiting) return [];
    const { piece, delta } = this.#waiting;
    const { text, reasoning, calls } = delta;
    const all = { text: text + rest.text, reasoning: reasoning + rest.reasoning, calls: [...calls, ...rest.calls] };
    this.#waiting = { piece, delta: all };
    return this.#release();
  }

  /** What is known of the answer beside its text. */
  get summary(): Pick<GenerationResult, 'reasoning' | 'reasoningTokens' | 'toolCalls'> {
    const { calls } = this.#reader;
    const [reasoning, reasoningTokens] = [this.#reasoning, this.#reasoningTokens];
    return { ...(reasoning !== '' && { reasoning, reasoningTokens }), ...(calls.length > 0 && { toolCalls: calls }) };
  }

  #release(): Piece[] {
    if (!this.#waiting) return [];
    const { piece, delta } = this.#waiting;
    const { text, reasoning, calls } = delta;
    this.#waiting = undefined;
    this.#reasoning += reasoning;
    return [{ ...piece, text, ...(reasoning !== '' && { reasoning }), ...(calls.length > 0 && { toolCalls: calls }) }];
  }
}
