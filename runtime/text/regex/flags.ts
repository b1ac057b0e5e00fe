/** (?i) and its like: which parts of an expression they are for. */
import type { AlternativeNode, DirectiveNode, GroupNode, Node } from 'oniguruma-parser/parser';

export interface Flags {
  readonly ignoreCase: boolean;
  readonly dotAll: boolean;
}

export const NO_FLAGS: Flags = { ignoreCase: false, dotAll: false };

/** Within a group. */
export function groupFlags(changes: GroupNode['flags'], { ignoreCase, dotAll }: Flags): Flags {
  const { enable, disable } = changes ?? {};
  return {
    ignoreCase: (ignoreCase || enable?.ignoreCase === true) && disable?.ignoreCase !== true,
    dotAll: (dotAll || enable?.dotAll === true) && disable?.dotAll !== true,
  };
}

const isFlags = (node: Node): node is DirectiveNode & { kind: 'flags' } =>
  node.type === 'Directive' && node.kind === 'flags';

/** Flags in the middle are for a group that goes to the end of the one around: a(?i)b|c is a(?i:b|c). */
export function isolateFlags(alternatives: readonly AlternativeNode[]): readonly AlternativeNode[] {
  const index = alternatives.findIndex(({ body }) => body.some(isFlags));
  if (index < 0) return alternatives;
  const { body } = alternatives[index]!;
  const at = body.findIndex(isFlags);
  const { flags } = body[at] as DirectiveNode & { kind: 'flags' };
  const rest: AlternativeNode = { type: 'Alternative', body: body.slice(at + 1) };
  const group: GroupNode = { type: 'Group', flags, body: [rest, ...alternatives.slice(index + 1)] };
  return [...alternatives.slice(0, index), { type: 'Alternative', body: [...body.slice(0, at), group] }];
}

/** Calls `act` with each node and the flags that it is under. */
export function visit(
  alternatives: readonly AlternativeNode[],
  flags: Flags,
  act: (node: Node, flags: Flags) => void,
): void {
  const one = (node: Node): void => {
    act(node, flags);
    if (node.type === 'Quantifier') one(node.body);
    else if (node.type === 'Group') visit(node.body, groupFlags(node.flags, flags), act);
    else if (node.type === 'CapturingGroup' || node.type === 'LookaroundAssertion') visit(node.body, flags, act);
  };
  for (const { body } of isolateFlags(alternatives)) for (const node of body) one(node);
}
