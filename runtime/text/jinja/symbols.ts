/**
 * Which variable a name is, decided before anything runs, as Jinja2 does it: each scope knows what it reads and sets, and a name
 * that it sets begins as that of the scope around it, as what the caller gave, or as nothing.
 */
import type { Node, Statement, Target } from './nodes.js';
import { assigned, children, fieldOwners } from './traverse.js';

/** What a variable holds when its scope is entered. */
export type Load =
  | { readonly from: 'parameter' }
  | { readonly from: 'nothing' }
  | { readonly from: 'context'; readonly name: string }
  | { readonly from: 'variable'; readonly variable: string };

export class Symbols {
  readonly level: number;
  #variables = new Map<string, string>();
  #loads = new Map<string, Load>();
  #stores = new Set<string>();

  constructor(private readonly parent?: Symbols) {
    this.level = parent ? parent.level + 1 : 0;
  }

  /** All names that this scope and those around it set, with the variable that each is here. */
  stored(): Map<string, string> {
    const outer = this.parent?.stored() ?? new Map<string, string>();
    for (const name of this.#stores) outer.set(name, this.find(name)!);
    return outer;
  }

  get loads(): ReadonlyMap<string, Load> {
    return this.#loads;
  }

  find(name: string): string | undefined {
    return this.#variables.get(name) ?? this.parent?.find(name);
  }

  parameter(name: string): string {
    this.#stores.add(name);
    return this.#define(name, { from: 'parameter' });
  }

  load(name: string): void {
    if (this.find(name) === undefined) this.#define(name, { from: 'context', name });
  }

  store(name: string): void {
    this.#stores.add(name);
    if (this.#variables.has(name)) return;
    const outer = this.parent?.find(name);
    this.#define(name, outer === undefined ? { from: 'nothing' } : { from: 'variable', variable: outer });
  }

  #define(name: string, load: Load): string {
    const variable = `${this.level} ${name}`;
    this.#variables.set(name, variable);
    this.#loads.set(variable, load);
    return variable;
  }

  visit(nodes: readonly Node[]): void {
    for (const node of nodes) this.#visit(node);
  }

  /** What of a node belongs to this scope: bodies with a scope of their own do not. */
  #visit(node: Node): void {
    if (node.kind === 'name') this.load(node.name);
    else if (node.kind === 'if') this.#visitIf(node.branches, node.otherwise);
    else if (SCOPES.has(node.kind)) this.#visitScope(node as Statement);
    else this.visit(children(node));
    if (node.kind === 'set') this.#visitTarget(node.target);
  }

  #visitTarget(target: Target): void {
    for (const name of fieldOwners(target)) this.load(name);
    for (const name of assigned(target)) this.store(name);
  }

  #visitScope(node: Statement): void {
    if (node.kind === 'for') this.#visit(node.iterable);
    else if (node.kind === 'macro') this.store(node.name);
    else if (node.kind === 'callBlock') this.#visit(node.call);
    else if (node.kind === 'filterBlock') this.#visit(node.filter);
    else if (node.kind === 'with') this.visit(node.values);
    else if (node.kind === 'setBlock') this.#visitTarget(node.target);
  }

  #visitIf(
    [first, ...rest]: readonly { readonly test: Node; readonly body: readonly Node[] }[],
    otherwise: readonly Node[],
  ): void {
    this.#visit(first!.test);
    const body = this.#branch((branch) => branch.visit(first!.body));
    const others = this.#branch((branch) => {
      for (const { test, body: inner } of rest) branch.#visitIf([{ test, body: inner }], []);
    });
    this.#merge([body, others, this.#branch((branch) => branch.visit(otherwise))]);
  }

  #branch(act: (branch: Symbols) => void): Symbols {
    const branch = new Symbols(this.parent);
    branch.#variables = new Map(this.#variables);
    branch.#loads = new Map(this.#loads);
    branch.#stores = new Set(this.#stores);
    act(branch);
    return branch;
  }

  /** What only a branch sets begins as it is outside, since the branch may not be taken. */
  #merge(branches: readonly Symbols[]): void {
    const stores = new Set(branches.flatMap((branch) => [...branch.#stores]).filter((name) => !this.#stores.has(name)));
    for (const branch of branches) {
      for (const [name, variable] of branch.#variables) this.#variables.set(name, variable);
      for (const [variable, load] of branch.#loads) this.#loads.set(variable, load);
      for (const name of branch.#stores) this.#stores.add(name);
    }
    for (const name of stores) {
      const outer = this.parent?.find(name);
      this.#loads.set(
        this.find(name)!,
        outer === undefined ? { from: 'context', name } : { from: 'variable', variable: outer },
      );
    }
  }
}

const SCOPES: ReadonlySet<Node['kind']> = new Set<Node['kind']>([
  'for',
  'macro',
  'callBlock',
  'filterBlock',
  'with',
  'setBlock',
  'autoescape',
  'block',
  'generation',
]);
