/** How one kind of vocabulary turns text, in which no special token is left, to ids, and ids to bytes. */
export interface TextModel {
  /** A text starts with the begin token, where the file does not say. */
  readonly addBos: boolean;
  /** Appends to `ids`. `afterSpecial`: the text begins, or follows a special token. */
  encode(text: string, ids: number[], afterSpecial: boolean): void;
  bytes(id: number): Uint8Array;
  /** `bytes` begins with a space that encode put before a text. */
  startsWithSpace(id: number): boolean;
}
