/** Byte pair merging: the one algorithm that BPE and SentencePiece vocabularies share. */

/** How soon the symbols start..middle and middle..end of a word are joined, lower is sooner; undefined: never. */
export type Rank = (word: string, start: number, middle: number, end: number) => number | undefined;

interface Pair {
  readonly rank: number;
  readonly start: number;
  readonly middle: number;
  readonly end: number;
}

/**
 * Joins the characters of a word, the pair of the lowest rank first and the leftmost of equals, until none has a rank.
 * O(n log n).
 */
export function mergeAll(word: string, rank: Rank): string[] {
  const ends = new Int32Array(word.length); // by start of a symbol; 0: no symbol starts here
  const starts = new Int32Array(word.length + 1); // by end of a symbol
  const queue = new PairQueue();
  const offer = (start: number, middle: number) => {
    const end = ends[middle]!;
    const found = rank(word, start, middle, end);
    if (found !== undefined) queue.push({ rank: found, start, middle, end });
  };
  for (let start = 0; start < word.length; start = ends[start]!) {
    ends[start] = start + (word.codePointAt(start)! > 0xffff ? 2 : 1);
    starts[ends[start]!] = start;
    if (start > 0) offer(starts[start]!, start);
  }
  for (let pair = queue.pop(); pair !== undefined; pair = queue.pop()) {
    const { start, middle, end } = pair;
    if (ends[start] !== middle || ends[middle] !== end) continue; // one of the two was joined with another
    ends[start] = end;
    ends[middle] = 0;
    starts[end] = start;
    if (start > 0) offer(starts[start]!, start);
    if (end < word.length) offer(start, end);
  }
  const symbols: string[] = [];
  for (let start = 0; start < word.length; start = ends[start]!) symbols.push(word.slice(start, ends[start]));
  return symbols;
}

const before = (a: Pair, b: Pair) => a.rank < b.rank || (a.rank === b.rank && a.start < b.start);

/** A binary heap. */
class PairQueue {
  readonly #heap: Pair[] = [];

  push(pair: Pair): void {
    const heap = this.#heap;
    let at = heap.length;
    for (let parent = (at - 1) >> 1; at > 0 && before(pair, heap[parent]!); parent = (at - 1) >> 1) {
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = pair;
  }

  pop(): Pair | undefined {
    const heap = this.#heap;
    const [top, last] = [heap[0], heap.pop()];
    if (last === undefined || heap.length === 0) return top;
    let at = 0;
    for (let child = 1; child < heap.length; child = 2 * at + 1) {
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
      if (!before(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
    return top;
  }
}
