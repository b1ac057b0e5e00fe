export interface SplitOptions {
  /** Find control tokens, not only those that are text. */
  readonly control: boolean;
  /** `shield` went over parts of the text: marks stand before tokens that are none. */
  readonly shielded?: boolean;
}

/** How one kind of vocabulary turns text to ids, and ids to bytes. */
export interface TextModel {
  /** A text starts with the begin token, where the file does not say. */
  readonly addBos: boolean;
  /** Each character of a text comes to be in some token, so that a text has no fewer tokens than its length allows. */
  readonly keepsAll: boolean;
  /** Of well-formed text. */
  encode(text: string, options: SplitOptions): number[];
  /** The text with marks before the control tokens that it spells. */
  shield(text: string): string;
  /** `first`: no token comes before it, so that a space which encode put before a text is left out. */
  bytes(id: number, first: boolean): Uint8Array;
}

/** Of a GGUF file's vocabulary: text in which no special token is left. */
export interface WordModel {
  /** A text starts with the begin token, where the file does not say. */
  readonly addBos: boolean;
  /** Appends to `ids`. `afterSpecial`: the text begins, or follows a special token. */
  encode(text: string, ids: number[], afterSpecial: boolean): void;
  bytes(id: number): Uint8Array;
  /** `bytes` begins with a space that encode put before a text. */
  startsWithSpace(id: number): boolean;
}
