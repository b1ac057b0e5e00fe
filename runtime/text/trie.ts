/** Finds the longest of many texts at a place of another. */

interface Node {
  id?: number;
  readonly next: Map<number, Node>;
}

export class Trie {
  readonly #root: Node = { next: new Map() };

  /** Of two with the same text the first counts. */
  add(text: string, id: number): void {
    let node = this.#root;
    for (let at = 0; at < text.length; at++) {
      const unit = text.charCodeAt(at);
      let next = node.next.get(unit);
      if (next === undefined) {
        next = { next: new Map() };
        node.next.set(unit, next);
      }
      node = next;
    }
    node.id ??= id;
  }

  longest(text: string, start: number): number | undefined {
    let found: number | undefined;
    let node: Node | undefined = this.#root;
    for (let at = start; node !== undefined; at++) {
      found = node.id ?? found;
      node = node.next.get(text.charCodeAt(at));
    }
    return found;
  }
}
