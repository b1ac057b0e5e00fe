/**
 * one_at_a_time: makes a chain of nodes that their reads and writes would let run side by side, such as a router beside a
 * shared expert. Each node's blocks take all multiprocessors, so two at once would only share them, and a node that comes
 * after two others would need a join. That is why, and no measurement: two at once have not been tried.
 */
import type { EdgeNode } from './edges.js';

/** As if each wrote what all others write: edges.ts derives the rest. */
export function oneAtATime(nodes: readonly EdgeNode[]): EdgeNode[] {
  const turn = { region: 'order', start: 0, end: 1 };
  return nodes.map((node) => ({ ...node, writes: [...node.writes, turn] }));
}
