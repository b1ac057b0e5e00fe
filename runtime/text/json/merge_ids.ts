/** Joins neighbouring ids, the pair of the lowest rank first and the leftmost of equals. O(n log n). */

export interface Merges {
  /** By pair. */
  readonly ranks: ReadonlyMap<number, number>;
  /** By rank, what the pair becomes. */
  readonly joined: readonly number[];
}

const IDS = 1 << 22;

export const pairOf = (left: number, right: number): number => left * IDS + right;

export function mergeIds(ids: readonly number[], { ranks, joined }: Merges): readonly number[] {
  const count = ids.length;
  if (count < 2) return ids;
  const symbols = Int32Array.from(ids);
  const next = Int32Array.from(ids, (_, i) => i + 1); // count: none
  const before = Int32Array.from(ids, (_, i) => i - 1);
  const queue = new Queue(count);
  const offer = (at: number) => {
    const right = at < 0 ? count : next[at]!;
    if (right >= count) return;
    const rank = ranks.get(pairOf(symbols[at]!, symbols[right]!));
    if (rank !== undefined) queue.push(rank, at);
  };
  for (let at = 0; at < count - 1; at++) offer(at);
  for (let key = queue.pop(); key !== undefined; key = queue.pop()) {
    const rank = Math.floor(key / count);
    const at = key - rank * count;
    const right = symbols[at] === GONE ? count : next[at]!;
    if (right >= count) continue;
    const now = ranks.get(pairOf(symbols[at]!, symbols[right]!));
    if (now === undefined || joined[now] !== joined[rank]) continue; // one of the two was joined with another
    symbols[at] = joined[rank]!;
    symbols[right] = GONE;
    next[at] = next[right]!;
    if (next[at]! < count) before[next[at]!] = at;
    offer(before[at]!);
    offer(at);
  }
  return Array.from(symbols).filter((id) => id !== GONE);
}

const GONE = -1;

/** A binary heap of rank and place as one number. */
class Queue {
  readonly #heap: number[] = [];

  constructor(private readonly count: number) {}

  push(rank: number, at: number): void {
    const key = rank * this.count + at;
    const heap = this.#heap;
    let index = heap.length;
    for (let parent = (index - 1) >> 1; index > 0 && key < heap[parent]!; parent = (index - 1) >> 1) {
      heap[index] = heap[parent]!;
      index = parent;
    }
    heap[index] = key;
  }

  pop(): number | undefined {
    const heap = this.#heap;
    const [top, last] = [heap[0], heap.pop()];
    if (last === undefined || heap.length === 0) return top;
    let index = 0;
    for (let child = 1; child < heap.length; child = 2 * index + 1) {
      if (child + 1 < heap.length && heap[child + 1]! < heap[child]!) child++;
      if (heap[child]! >= last) break;
      heap[index] = heap[child]!;
      index = child;
    }
    heap[index] = last;
    return top;
  }
}
