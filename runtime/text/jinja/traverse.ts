/** The parts of a node, in the order in which Jinja2 goes through them. */
import type { Arguments, Node, Target } from './nodes.js';

const given = ({ args, keywords, spread, spreadKeywords }: Arguments): Node[] => [
  ...args,
  ...keywords.map(([, value]) => value),
  ...present(spread, spreadKeywords),
];

const present = (...nodes: readonly (Node | undefined)[]): Node[] => nodes.filter((node) => node !== undefined);

/** Names that are assigned to are left out: `assigned` has them. */
export function children(node: Node): readonly Node[] {
  switch (node.kind) {
    case 'call':
      return [node.callee, ...given(node)];
    case 'filter':
    case 'test':
      return [...present(node.input), ...given(node)];
    case 'slice':
      return present(node.start, node.stop, node.step);
    case 'tuple':
    case 'list':
    case 'targets':
      return node.items;
    case 'dict':
      return node.entries.flat();
    case 'choice':
      return present(node.test, node.yes, node.no);
    case 'and':
    case 'or':
    case 'binary':
      return [node.left, node.right];
    case 'not':
    case 'negative':
    case 'positive':
      return [node.operand];
    case 'compare':
      return [node.first, ...node.rest.map(([, value]) => value)];
    case 'concat':
      return node.parts;
    case 'attribute':
      return [node.of];
    case 'item':
      return [node.of, node.key];
    default:
      return statementChildren(node);
  }
}

function statementChildren(node: Node): readonly Node[] {
  switch (node.kind) {
    case 'print':
      return [node.value];
    case 'set':
      return [node.value];
    case 'setBlock':
      return [...present(node.filter), ...node.body];
    case 'filterBlock':
      return [...node.body, node.filter];
    case 'with':
      return [...node.values, ...node.body];
    case 'autoescape':
      return [node.value, ...node.body];
    case 'for':
      return [node.iterable, ...node.body, ...node.otherwise, ...present(node.test)];
    case 'if':
      return [...node.branches.flatMap(({ test, body }) => [test, ...body]), ...node.otherwise];
    case 'macro':
      return [...node.defaults, ...node.body];
    case 'callBlock':
      return [node.call, ...node.defaults, ...node.body];
    case 'generation':
    case 'block':
      return node.body;
    case 'foreign':
      return [node.template];
    default:
      return [];
  }
}

/** The names in a target. */
export function assigned(target: Target): readonly string[] {
  if (target.kind === 'targets') return target.items.flatMap(assigned);
  return target.kind === 'name' ? [target.name] : [];
}

/** Namespaces of which a target sets attributes. */
export function fieldOwners(target: Target): readonly string[] {
  if (target.kind === 'targets') return target.items.flatMap(fieldOwners);
  return target.kind === 'field' ? [target.name] : [];
}

/** Targets that a node itself assigns to, apart from those inside of it. */
export function ownTargets(node: Node): readonly string[] {
  if (node.kind === 'for' || node.kind === 'set' || node.kind === 'setBlock') return assigned(node.target);
  if (node.kind === 'with') return node.targets.flatMap(assigned);
  if (node.kind === 'macro' || node.kind === 'callBlock') return node.names;
  return [];
}

/** Which of the names are used before they are assigned to, in these nodes and all inside of them but blocks. */
export function undeclared(nodes: readonly Node[], names: readonly string[]): ReadonlySet<string> {
  const open = new Set(names);
  const found = new Set<string>();
  const visit = (node: Node): void => {
    if (node.kind === 'block') return;
    if (node.kind === 'name' && open.has(node.name)) found.add(node.name);
    const own = ownTargets(node);
    // Their targets come before the body; of a set, whose value comes after in Jinja2's tree, too.
    for (const name of own) open.delete(name);
    for (const child of children(node)) visit(child);
  };
  nodes.forEach(visit);
  return found;
}
