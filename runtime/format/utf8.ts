/** Characters as UTF-8: ranges of bytes one after the other. */
type ByteRange = readonly [from: number, to: number];

/** Last code points of one, two, three and four bytes. */
const ENDS = [0x7f, 0x7ff, 0xffff, 0x10ffff];

/** Lists of byte ranges, each of which is the encodings of some characters from `from` to `to`; together of all. */
export function utf8Ranges(from: number, to: number): ByteRange[][] {
  const lists: ByteRange[][] = [];
  let start = from;
  for (const [i, end] of ENDS.entries()) {
    if (start > to) break;
    if (start > end) continue;
    split(start, Math.min(end, to), i, lists);
    start = end + 1;
  }
  return lists;
}

/** Of characters with `more` bytes after the first. */
function split(from: number, to: number, more: number, lists: ByteRange[][]): void {
  for (let i = 1; i <= more; i++) {
    const low = (1 << (6 * i)) - 1; // the last i bytes' bits
    if ((from & ~low) === (to & ~low)) continue;
    if ((from & low) !== 0) {
      split(from, from | low, more, lists);
      split((from | low) + 1, to, more, lists);
      return;
    }
    if ((to & low) !== low) {
      split(from, (to & ~low) - 1, more, lists);
      split(to & ~low, to, more, lists);
      return;
    }
  }
  const [first, last] = [encoded(from, more), encoded(to, more)];
  lists.push(first.map((byte, i) => [byte, last[i]!]));
}

function encoded(code: number, more: number): number[] {
  if (more === 0) return [code];
  const lead = [0xc0, 0xe0, 0xf0][more - 1]!;
  const bytes = [lead | (code >> (6 * more))];
  for (let i = more - 1; i >= 0; i--) bytes.push(0x80 | ((code >> (6 * i)) & 0x3f));
  return bytes;
}
