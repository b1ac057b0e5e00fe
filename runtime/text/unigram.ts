/**
 * Unigram vocabularies: of all ways to cut a text into tokens the one whose scores add up to most, sums and choices between
 * equals as Hugging Face's library tokenizers has them (encode_optimized of its Unigram model).
 */

/** Below the least score of all, what no token has. */
const UNKNOWN_PENALTY = 10;
/** In place of an id: some token begins so, and none is that. */
const BEGINNING = -1;

export class Unigram {
  /** Of tokens, and of what tokens begin with. Of tokens with the same text the last counts. */
  readonly #ids = new Map<string, number>();
  readonly #unknownScore: number;

  /** `scores` by token id; tokens without one are no part of the model. */
  constructor(
    tokens: readonly string[],
    private readonly scores: readonly number[],
    private readonly unknown: number,
  ) {
    for (const id of scores.keys()) {
      const token = tokens[id]!;
      for (let end = 1; end < token.length; end++) {
        const beginning = token.slice(0, end);
        if (!this.#ids.has(beginning)) this.#ids.set(beginning, BEGINNING);
      }
      this.#ids.set(token, id);
    }
    this.#unknownScore =
      scores.reduce((least, score) => Math.min(least, score), Number.POSITIVE_INFINITY) - UNKNOWN_PENALTY;
  }

  idOf(token: string): number | undefined {
    const id = this.#ids.get(token);
    return id === BEGINNING ? undefined : id;
  }

  /** Tokens, and between them runs of what no token has. */
  cut(text: string): string[] {
    const { starts, unknown } = this.#bestPath(text);
    const pieces: string[] = [];
    let run = text.length; // where the unknown characters end that are being passed
    for (let end = text.length; end > 0; end = starts[end]!) {
      if (unknown[end]) continue;
      if (end < run) pieces.push(text.slice(end, run));
      run = starts[end]!;
      pieces.push(text.slice(run, end));
    }
    if (run > 0) pieces.push(text.slice(0, run));
    return pieces.reverse();
  }

  /** By each place in the text, where the last piece of the best way there starts, and whether that is unknown. */
  #bestPath(text: string) {
    const best = new Float64Array(text.length + 1);
    const starts = new Int32Array(text.length + 1).fill(-1);
    const unknown = new Uint8Array(text.length + 1);
    const offer = (start: number, end: number, id: number, score: number) => {
      const total = score + best[start]!;
      if (starts[end]! >= 0 && total <= best[end]!) return;
      best[end] = total;
      starts[end] = start;
      unknown[end] = id === this.unknown ? 1 : 0;
    };
    for (let start = 0, next = 0; start < text.length; start = next) {
      next = start + (text.codePointAt(start)! > 0xffff ? 2 : 1);
      let hasSingle = false;
      for (let end = start + 1; end <= text.length; end++) {
        const id = this.#ids.get(text.slice(start, end));
        if (id === undefined) break;
        if (id === BEGINNING) continue;
        offer(start, end, id, this.scores[id]!);
        if (end === next) hasSingle = true;
      }
      if (!hasSingle) offer(start, next, this.unknown, this.#unknownScore);
    }
    return { starts, unknown };
  }
}
