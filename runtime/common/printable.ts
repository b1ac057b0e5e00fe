/**
 * What comes from files, models and clients reaches a terminal or a log only through here: it may hold sequences that a terminal
 * obeys, and characters that hide or reorder the text around them.
 */

/** C0 but tab and line feed, DEL, C1; directions of text, and what has no width. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const UNPRINTABLE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;
/** Of these, what no text of a model needs: emoji are joined, and Arabic and Persian are written, with some of the others. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const OBEYED = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g;

/** As JSON has it: a JSON text stays the same value. */
const escapeUnit = (unit: string): string => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;

/** A text of this program with foreign ones in it. */
export const printable = (text: string): string => text.replace(UNPRINTABLE, escapeUnit);

/** A text that a model has written, for a terminal: lines and tabs as they are, nothing that a terminal obeys. */
export const printableWriting = (text: string): string => text.replace(OBEYED, escapeUnit);

/** In bytes. What is cut is shorter by more than what then stands there, so that it is not cut again. */
const LONGEST_MESSAGE = 1980;
const [LONGEST_START, LONGEST_END] = [1400, 500];

/** A message of less than 2 kB; what is too much is cut out of its middle and counted. */
export function shorten(message: string): string {
  if (Buffer.byteLength(message) <= LONGEST_MESSAGE) return message;
  const bytes = Buffer.from(message);
  const [start, end] = [LONGEST_START, bytes.length - LONGEST_END];
  const [head, tail] = [wholeCharacters(bytes.subarray(0, start)), wholeCharacters(bytes.subarray(end))];
  return `${head} … ${end - start} bytes left out … ${tail}`;
}

/** Of bytes that may begin or end inside a character. */
const wholeCharacters = (bytes: Buffer): string => bytes.toString('utf8').replace(/^\ufffd+|\ufffd+$/g, '');
