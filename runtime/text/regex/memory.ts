/**
 * What a search knows of places in its text: from which branches nothing follows there, and, of parts that are matched for
 * themselves, where they end. So no branch is taken twice at a place.
 */

const PAGE = 1 << 10; // places

export class Memory {
  readonly #pages = new Map<number, Uint32Array>();
  readonly #ends = new Map<number, number>();
  /** Branches that are being tried, in order. */
  readonly #tried: number[] = [];
  #forgotten = 0;

  /** `branches`: how many the program has. */
  constructor(private readonly branches: number) {}

  /** How many branches are being tried. */
  get mark(): number {
    return this.#tried.length;
  }

  /** Those that came after the mark have failed. */
  fail(mark: number): void {
    this.#tried.length = mark;
  }

  /** Those that came after the mark lead to a part's end, or, without one, to that of all. */
  succeed(mark: number, end?: number): void {
    for (const key of this.#tried.slice(mark)) {
      this.#forget(key);
      if (end !== undefined) this.#ends.set(key, end);
    }
    this.#tried.length = mark;
  }

  /** Of a part that has matched from this branch on. */
  endOf(branch: number, at: number): number | undefined {
    return this.#ends.size > 0 ? this.#ends.get(at * this.branches + branch) : undefined;
  }

  /** Whether the branch is new at this place; it is being tried from here on. */
  tries(branch: number, at: number): boolean {
    const { page, word, mask } = this.#find(branch, at);
    if ((page[word]! & mask) !== 0) return false;
    page[word]! |= mask;
    this.#tried.push(at * this.branches + branch);
    return true;
  }

  /** Nothing before this place is asked for any more. */
  forgetBefore(at: number): void {
    const page = Math.floor(at / PAGE);
    if (page === this.#forgotten) return;
    for (; this.#forgotten < page; this.#forgotten++) this.#pages.delete(this.#forgotten);
    this.#ends.clear();
  }

  #forget(key: number): void {
    const { page, word, mask } = this.#find(key % this.branches, Math.floor(key / this.branches));
    page[word]! &= ~mask;
  }

  #find(branch: number, at: number) {
    const index = Math.floor(at / PAGE);
    let page = this.#pages.get(index);
    if (page === undefined) {
      page = new Uint32Array(Math.ceil((PAGE * this.branches) / 32));
      this.#pages.set(index, page);
    }
    const bit = (at - index * PAGE) * this.branches + branch;
    return { page, word: bit >> 5, mask: 1 << (bit & 31) };
  }
}
