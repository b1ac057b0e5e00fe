/** The syntax tree of a template. */
import type { Value } from './values.js';

interface At {
  /** In the template, from 1. */
  readonly line: number;
}

export interface Arguments {
  readonly args: readonly Expression[];
  readonly keywords: readonly (readonly [string, Expression])[];
  readonly spread: Expression | undefined;
  readonly spreadKeywords: Expression | undefined;
}

export interface Name extends At {
  readonly kind: 'name';
  readonly name: string;
}
export interface Call extends At, Arguments {
  readonly kind: 'call';
  readonly callee: Expression;
}
/** `input` is absent in a filter block, whose text it is. */
export interface Filter extends At, Arguments {
  readonly kind: 'filter';
  readonly name: string;
  readonly input: Expression | undefined;
}
export interface Slice extends At {
  readonly kind: 'slice';
  readonly start: Expression | undefined;
  readonly stop: Expression | undefined;
  readonly step: Expression | undefined;
}

export type Expression =
  | Name
  | Call
  | Filter
  | Slice
  | (At & { readonly kind: 'constant'; readonly value: Value })
  | (At & { readonly kind: 'tuple' | 'list'; readonly items: readonly Expression[] })
  | (At & { readonly kind: 'dict'; readonly entries: readonly (readonly [Expression, Expression])[] })
  | (At & {
      readonly kind: 'choice';
      readonly test: Expression;
      readonly yes: Expression;
      readonly no: Expression | undefined;
    })
  | (At & { readonly kind: 'and' | 'or'; readonly left: Expression; readonly right: Expression })
  | (At & { readonly kind: 'binary'; readonly operator: string; readonly left: Expression; readonly right: Expression })
  | (At & { readonly kind: 'not' | 'negative' | 'positive'; readonly operand: Expression })
  | (At & {
      readonly kind: 'compare';
      readonly first: Expression;
      readonly rest: readonly (readonly [string, Expression])[];
    })
  | (At & { readonly kind: 'concat'; readonly parts: readonly Expression[] })
  | (At & { readonly kind: 'attribute'; readonly of: Expression; readonly name: string })
  | (At & { readonly kind: 'item'; readonly of: Expression; readonly key: Expression })
  | (At & Arguments & { readonly kind: 'test'; readonly name: string; readonly input: Expression });

/** What is assigned to. */
export type Target =
  | Name
  | (At & { readonly kind: 'field'; readonly name: string; readonly attribute: string })
  | (At & { readonly kind: 'targets'; readonly items: readonly Target[] });

export interface Parameters {
  readonly names: readonly string[];
  /** Of the last of them. */
  readonly defaults: readonly Expression[];
}

export type Body = readonly Statement[];

export interface For extends At {
  readonly kind: 'for';
  readonly target: Target;
  readonly iterable: Expression;
  readonly test: Expression | undefined;
  readonly isRecursive: boolean;
  readonly body: Body;
  readonly otherwise: Body;
}
export interface If extends At {
  readonly kind: 'if';
  readonly branches: readonly { readonly test: Expression; readonly body: Body }[];
  readonly otherwise: Body;
}
export interface Macro extends At, Parameters {
  readonly kind: 'macro';
  readonly name: string;
  readonly body: Body;
}
export interface CallBlock extends At, Parameters {
  readonly kind: 'callBlock';
  readonly call: Call;
  readonly body: Body;
}
export interface Block extends At {
  readonly kind: 'block';
  readonly name: string;
  readonly isScoped: boolean;
  readonly isRequired: boolean;
  readonly body: Body;
}

export type Statement =
  | For
  | If
  | Macro
  | CallBlock
  | Block
  | (At & { readonly kind: 'text'; readonly text: string })
  | (At & { readonly kind: 'print'; readonly value: Expression })
  | (At & { readonly kind: 'set'; readonly target: Target; readonly value: Expression })
  | (At & {
      readonly kind: 'setBlock';
      readonly target: Target;
      readonly filter: Filter | undefined;
      readonly body: Body;
    })
  | (At & { readonly kind: 'filterBlock'; readonly filter: Filter; readonly body: Body })
  | (At & {
      readonly kind: 'with';
      readonly targets: readonly Target[];
      readonly values: readonly Expression[];
      readonly body: Body;
    })
  | (At & { readonly kind: 'autoescape'; readonly value: Expression; readonly body: Body })
  | (At & { readonly kind: 'generation'; readonly body: Body })
  | (At & { readonly kind: 'break' | 'continue' })
  /** What needs other templates: include, import, from and extends. */
  | (At & { readonly kind: 'foreign'; readonly tag: string; readonly template: Expression });

export type Node = Expression | Statement | Target;
