/** What a text may be: expressions of characters, and rules that name them, so that they may be recursive. */
import { type CharSet, charsOf } from './char_set.js';

export type Expression =
  | { readonly kind: 'characters'; readonly set: CharSet }
  | { readonly kind: 'sequence'; readonly parts: readonly Expression[] }
  /** None: no text. */
  | { readonly kind: 'choice'; readonly options: readonly Expression[] }
  | { readonly kind: 'repeat'; readonly of: Expression; readonly least: number; readonly most: number }
  | { readonly kind: 'rule'; readonly rule: Rule };

export class Rule {
  /** Given later where rules are recursive. */
  body: Expression = NOTHING;
  constructor(
    readonly name: string,
    body?: Expression,
  ) {
    if (body) this.body = body;
  }
}

export const characters = (set: CharSet): Expression => ({ kind: 'characters', set });
export const sequence = (...parts: readonly Expression[]): Expression =>
  parts.length === 1 ? parts[0]! : { kind: 'sequence', parts };
export const choice = (...options: readonly Expression[]): Expression =>
  options.length === 1 ? options[0]! : { kind: 'choice', options };
export const repeat = (of: Expression, least = 0, most = Number.POSITIVE_INFINITY): Expression => ({
  ...{ kind: 'repeat', of, least, most },
});
export const optional = (of: Expression): Expression => repeat(of, 0, 1);
export const text = (literal: string): Expression => sequence(...[...literal].map((char) => characters(charsOf(char))));
export const rule = (named: Rule): Expression => ({ kind: 'rule', rule: named });
/** A rule without a name of its own: written down once, wherever it is used. */
export const shared = (name: string, body: Expression): Expression => rule(new Rule(name, body));

export const EMPTY: Expression = { kind: 'sequence', parts: [] };
export const NOTHING: Expression = { kind: 'choice', options: [] };
