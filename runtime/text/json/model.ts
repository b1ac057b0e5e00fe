/** What every model of a tokenizer.json is. */

export interface Model {
  /** By text. Of tokens with the same id the last counts. */
  readonly ids: ReadonlyMap<string, number>;
  /** What stands for what no token has. */
  readonly unknown: number | undefined;
  /** Whether each text has a token at least for every few of its bytes. */
  readonly complete: boolean;
  encode(word: string): readonly number[];
}

/** "<0x00>" to "<0xFF>" where the vocabulary has them. */
export function byteIds(ids: ReadonlyMap<string, number>): (number | undefined)[] {
  return Array.from({ length: 256 }, (_, byte) => ids.get(byteToken(byte)));
}

const byteToken = (byte: number) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`;
