/**
 * The specification of the IR, checked at each border between stages. A graph that breaks a rule is a defect of the
 * compiler, so what is thrown is a plain Error; it names the operation and the rule.
 *
 * Of every graph:
 * - `unique`        no two values have the same id or the same name
 * - `written-once`  a value is written by one operation
 * - `read-written`  an operation reads only values that operations before it have written, and those very objects
 * - `no-dead-value` each value is read by an operation, or is the graph's logits, which the host reads
 * - `size`          a value has at least one column; a projection's `best` has 0, because plan/ sizes it
 * - `rows`          what has a row a token is made of such; the logits have a row an output
 * - `shape`         operands agree with each other and with the rows and columns of the weights (each kind its own: ir/primitives.ts, kernels/)
 * - `cache`         each cache is appended to by one operation, and attended to by that one or later ones, at least one; the
 *                   ids are 0 to n - 1, in order
 * - `form`          what is not f32 is written and read by the operations of many rows that have it so
 * - `select`        the last operation, and no other, selects: from the logits, or from the `best` that the projection
 *                   which writes the logits leaves beside them
 *
 * Of a primitive graph: `primitive`, every operation is a PrimitiveOp. Of a fused graph: `fused`, every one is a kernel's of
 * the graph's kind of program.
 */
import { Checks } from '../ir/checks.js';
import type { Resource } from '../ir/effects.js';
import type { Value } from '../ir/ops.js';
import type { Projection } from '../kernels/projection/operation.js';
import { cachesOf, check, type Graph, isFusedIn, isPrimitive, type Op, reads, writes } from './graph.js';

export function verifyPrimitive(graph: Graph): void {
  verifyKinds(graph, 'primitive', isPrimitive);
  verifyGraph(graph);
}

export function verifyFused(graph: Graph): void {
  verifyKinds(graph, 'fused', (op) => isFusedIn(graph, op));
  verifyGraph(graph);
}

/** The rules of every graph; between passes these hold and operations of both forms may stand. */
export function verifyGraph(graph: Graph): void {
  for (const op of graph.ops) check(op, new Checks((holds, detail) => need(holds, op, 'shape', detail)));
  verifyRows(graph);
  verifyForms(graph);
  verifyValues(graph);
  verifyCaches(graph);
  verifySelect(graph);
}

function verifyKinds({ ops }: Graph, rule: string, holds: (op: Op) => boolean): void {
  for (const op of ops) need(holds(op), op, rule, `${op.kind} is no ${rule} operation`);
}

function verifyValues({ ops, logits }: Graph): void {
  const byId = new Map<number, Value>();
  const names = new Set<string>();
  const unread = new Map<Value, Op>();
  for (const op of ops) {
    for (const value of reads(op).values) {
      need(byId.get(value.id) === value, op, 'read-written', `${value.name} is read before it is written`);
      unread.delete(value);
    }
    for (const value of writes(op).values) {
      need(byId.get(value.id) !== value, op, 'written-once', `${value.name} is written again`);
      need(!byId.has(value.id) && !names.has(value.name), op, 'unique', `${value.name} (id ${value.id}) is taken`);
      verifySize(op, value);
      byId.set(value.id, value);
      names.add(value.name);
      unread.set(value, op);
    }
  }
  for (const [value, op] of unread) need(value === logits, op, 'no-dead-value', `nothing reads ${value.name}`);
}

function verifySize(op: Op, value: Value): void {
  const best = op.kind === 'projection' && value === op.best;
  const holds = best ? value.cols === 0 : Number.isSafeInteger(value.cols) && value.cols > 0;
  need(holds, op, 'size', `${value.name} has ${value.cols} columns`);
}

function verifyRows({ ops, logits }: Graph): void {
  for (const op of ops) {
    const outputs = reads(op).values.filter(({ rows }) => rows === 'output');
    const ofTokens = writes(op).values.find(({ rows }) => rows === 'token');
    need(
      !ofTokens || outputs.length === 0,
      op,
      'rows',
      `${ofTokens?.name} has a row a token, ${outputs[0]?.name} has not`,
    );
  }
  need(logits.rows === 'output', ops.at(-1)!, 'rows', `${logits.name} has a row a token`);
}

/** Of the operations named here the rooms say which operand has which form. */
const WITH_FORMS: readonly Op['kind'][] = [
  ...(['operand_rows', 'matmul', 'append', 'attend_rows'] as const),
  ...(['sort_rows', 'scatter_rows', 'combine_rows'] as const),
];

function verifyForms({ ops }: Graph): void {
  for (const op of ops)
    for (const { name, form } of [...reads(op).values, ...writes(op).values])
      need(form === undefined || WITH_FORMS.includes(op.kind), op, 'form', `${name} is ${form}`);
}

function verifyCaches(graph: Graph): void {
  const appended = new Map<Resource, Op>();
  const attended = new Set<Resource>();
  for (const op of graph.ops) {
    // Writes first: attend appends to the cache that it attends to.
    for (const cache of writes(op).resources.filter(isCache)) {
      need(!appended.has(cache), op, 'cache', `${cache} is appended to again`);
      appended.set(cache, op);
    }
    for (const cache of reads(op).resources.filter(isCache)) {
      need(appended.has(cache), op, 'cache', `${cache} is attended to before it is appended to`);
      attended.add(cache);
    }
  }
  for (const [cache, op] of appended) need(attended.has(cache), op, 'cache', `nothing attends to ${cache}`);
  for (const [index, { id }] of cachesOf(graph).entries())
    need(id === index, graph.ops.at(-1)!, 'cache', `cache ${id} is not the ${index}th`);
}

const isCache = (resource: Resource) => resource.startsWith('cache.');

const SELECTS: readonly Op['kind'][] = ['select', 'select_best', 'select_rows'];

function verifySelect({ ops, logits }: Graph): void {
  const last = ops.at(-1);
  if (!last) throw new Error('IR rule "select" broken: the graph is empty');
  for (const [i, op] of ops.entries()) {
    const mustSelect = i === ops.length - 1;
    need(SELECTS.includes(op.kind) === mustSelect, op, 'select', 'the last operation, and no other, must select');
  }
  const writer = ops.find((op): op is Projection => op.kind === 'projection' && op.output === logits);
  if (last.kind === 'select' || last.kind === 'select_best' || last.kind === 'select_rows')
    need(last.logits === logits, last, 'select', 'it does not read the logits');
  if (last.kind === 'select_best') need(last.best === writer?.best, last, 'select', 'it does not read their best');
}

function need(holds: boolean, op: Op, rule: string, detail: string): void {
  if (!holds) throw broken(op, rule, detail);
}

function broken(op: Op, rule: string, detail: string): Error {
  const subject = writes(op).values[0] ?? reads(op).values[0];
  return new Error(`IR rule "${rule}" broken by ${op.kind} of ${subject?.name}: ${detail}`);
}
