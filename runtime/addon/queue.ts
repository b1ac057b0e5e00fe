/** What has come and not been taken. Ending it drops nothing that had come before, unless with an error. */
export class Queue<T> {
  #items: T[] = [];
  #end: { error?: unknown } | undefined;
  #wake = () => {};

  push(item: T): void {
    if (this.#end) return;
    this.#items.push(item);
    this.#wake();
  }

  /** The first end counts. */
  end(failed?: { error: unknown }): void {
    this.#end ??= failed ?? {};
    this.#wake();
  }

  get ended(): boolean {
    return this.#end !== undefined;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    for (;;) {
      if (this.#end && 'error' in this.#end) throw this.#end.error;
      if (this.#items.length > 0) yield this.#items.shift()!;
      else if (this.#end) return;
      else
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
    }
  }
}
