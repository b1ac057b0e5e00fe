/** GPT-2's alphabet: each byte as one character. Printable Latin-1 stands for itself, the other bytes follow from U+0100. */
const CHARACTERS = byteCharacters();
const BYTES = new Map(CHARACTERS.map((character, byte) => [character, byte]));

function byteCharacters(): string[] {
  const printable = (byte: number) => (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad);
  let next = 0x100;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(printable(byte) ? byte : next++));
}

export const spellBytes = (text: string): string => Array.from(Buffer.from(text), (byte) => CHARACTERS[byte]).join('');

/** The bytes of a token, or, where it has a character that is none, of its text. */
export function readBytes(token: string): Uint8Array {
  const bytes = Array.from(token, (character) => BYTES.get(character) ?? -1);
  return bytes.includes(-1) ? Buffer.from(token) : Uint8Array.from(bytes);
}
