/** The tokens of a vocabulary by their bytes, as a tree in one row: each node before those below it. */
import type { Automaton } from './automaton.js';
import { DEAD } from './automaton.js';

export class TokenTrie {
  readonly words: number;
  /** By node. */
  readonly #byte: Uint8Array;
  readonly #depth: Uint16Array;
  readonly #end: Int32Array;
  /** A token with the node's bytes, or -1; and by token, another one with the same. */
  readonly #token: Int32Array;
  readonly #same: Int32Array;
  readonly #states: Int32Array;

  /** bytesOf: of each token, empty for what is no text. */
  constructor(bytesOf: readonly Uint8Array[]) {
    this.words = Math.ceil(bytesOf.length / 32);
    this.#same = new Int32Array(bytesOf.length).fill(-1);
    const ids = [...bytesOf.keys()].filter((id) => bytesOf[id]!.length > 0);
    ids.sort((a, b) => Buffer.compare(bytesOf[a]!, bytesOf[b]!));
    const nodes: { byte: number; depth: number; token: number; end: number }[] = [];
    const path: number[] = [];
    const close = (depth: number) => {
      while (path.length > depth) nodes[path.pop()!]!.end = nodes.length;
    };
    let before: Uint8Array = new Uint8Array();
    for (const id of ids) {
      const bytes = bytesOf[id]!;
      let common = 0;
      while (common < bytes.length && bytes[common] === before[common]) common++;
      if (common === bytes.length) {
        const node = nodes[path.at(-1)!]!; // the same bytes again
        this.#same[id] = node.token;
        node.token = id;
        continue;
      }
      close(common);
      for (let at = common; at < bytes.length; at++)
        path.push(nodes.push({ byte: bytes[at]!, depth: at + 1, token: -1, end: 0 }) - 1);
      nodes.at(-1)!.token = id;
      before = bytes;
    }
    close(0);
    this.#byte = Uint8Array.from(nodes, ({ byte }) => byte);
    this.#depth = Uint16Array.from(nodes, ({ depth }) => depth);
    this.#end = Int32Array.from(nodes, ({ end }) => end);
    this.#token = Int32Array.from(nodes, ({ token }) => token);
    this.#states = new Int32Array(this.#depth.reduce((most, depth) => Math.max(most, depth), 0) + 1);
  }

  /** Bits of the tokens that may follow in this state. */
  mask(automaton: Automaton, state: number): Uint32Array<ArrayBuffer> {
    const words = new Uint32Array(this.words);
    const states = this.#states;
    states[0] = state;
    for (let node = 0; node < this.#byte.length; ) {
      const depth = this.#depth[node]!;
      const next = automaton.step(states[depth - 1]!, this.#byte[node]!);
      if (next === DEAD) {
        node = this.#end[node]!;
        continue;
      }
      states[depth] = next;
      for (let token = this.#token[node]!; token >= 0; token = this.#same[token]!)
        words[token >> 5]! |= 1 << (token & 31);
      node++;
    }
    return words;
  }
}
