/** What passes match with: who writes and who reads each value of one graph; and what they rewrite it with. */
import { type Graph, type Op, reads, writes } from '../graph/graph.js';
import type { Resource } from '../ir/effects.js';
import type { Form, Rows, Value } from '../ir/ops.js';

type OpOf<K extends Op['kind']> = Extract<Op, { kind: K }>;

export class Uses {
  readonly #writer = new Map<Value, Op>();
  readonly #readers = new Map<Value, Op[]>();
  readonly #touching = new Map<Resource, Op[]>();

  constructor(graph: Graph) {
    for (const op of graph.ops) {
      if ('output' in op) this.#writer.set(op.output, op);
      for (const value of reads(op).values) append(this.#readers, value, op);
      const resources = new Set([...reads(op).resources, ...writes(op).resources]);
      for (const resource of resources) append(this.#touching, resource, op);
    }
  }

  /** The operation whose output the value is, if it is of this kind. */
  writer<K extends Op['kind']>(kind: K, value: Value): OpOf<K> | undefined {
    const op = this.#writer.get(value);
    return op?.kind === kind ? (op as OpOf<K>) : undefined;
  }

  /** The same where one operand is all that reads the value, and the operation writes no other: it may move to there. */
  soleWriter<K extends Op['kind']>(kind: K, value: Value): OpOf<K> | undefined {
    const writer = this.readers(value).length === 1 ? this.writer(kind, value) : undefined;
    return writer && writes(writer).values.length === 1 ? writer : undefined;
  }

  /** One entry an operand: an operation that reads the value twice stands here twice. */
  readers(value: Value): readonly Op[] {
    return this.#readers.get(value) ?? [];
  }

  /** The operations that read or write the resource, in order. */
  touching(resource: Resource): readonly Op[] {
    return this.#touching.get(resource) ?? [];
  }
}

/** What stands in place of an operation; [] removes it. */
export type Edits = Map<Op, readonly Op[]>;

export function rewrite(graph: Graph, edits: Edits): Graph {
  return { ...graph, ops: graph.ops.flatMap((op) => edits.get(op) ?? [op]) };
}

/** A maker of values whose ids the graph does not use. */
export function freshValues(graph: Graph): (name: string, cols: number, rows: Rows, form?: Form) => Value {
  let id = Math.max(-1, ...graph.ops.flatMap((op) => writes(op).values.map((value) => value.id)));
  return (name, cols, rows, form) => ({ id: ++id, name, rows, cols, ...(form && { form }) });
}

function append<K>(lists: Map<K, Op[]>, key: K, op: Op): void {
  const list = lists.get(key);
  if (list) list.push(op);
  else lists.set(key, [op]);
}
