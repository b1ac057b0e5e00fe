/** Nodes that take exactly one character, as predicates. */
import type { CharacterClassElementNode, CharacterClassNode, CharacterSetNode, Node } from 'oniguruma-parser/parser';
import { folding } from './case_fold.js';
import { BRACKETED, ESCAPES, POSIX, type Predicate, property } from './char_set.js';
import type { Flags } from './flags.js';
import { RegexError } from './regex_error.js';

type ClassNode = CharacterClassNode | CharacterSetNode;

export const isClass = (node: Node): node is ClassNode =>
  node.type === 'CharacterClass' || (node.type === 'CharacterSet' && !node.variableLength);

/** Errors: RegexError for what is no one character. */
export function setOf(node: ClassNode, flags: Flags): Predicate {
  if (node.type === 'CharacterSet') return escapeSet(node, flags, ESCAPES);
  const inside = classBody(node, flags);
  const set = flags.ignoreCase ? whateverCase(inside, node.negate) : inside;
  return node.negate ? (codePoint) => !set(codePoint) : set;
}

/** Without its negation. */
function classBody(node: CharacterClassNode, flags: Flags): Predicate {
  const parts = node.body.map((part) => partSet(part, flags));
  return node.kind === 'intersection'
    ? (codePoint) => parts.every((has) => has(codePoint))
    : (codePoint) => parts.some((has) => has(codePoint));
}

function partSet(part: CharacterClassElementNode, flags: Flags): Predicate {
  if (part.type === 'Character') return (codePoint) => codePoint === part.value;
  if (part.type === 'CharacterClassRange')
    return (codePoint) => codePoint >= part.min.value && codePoint <= part.max.value;
  if (part.type === 'CharacterSet') return escapeSet(part, flags, BRACKETED);
  const inside = classBody(part, flags);
  return part.negate ? (codePoint) => !inside(codePoint) : inside;
}

function escapeSet(node: CharacterSetNode, { dotAll }: Flags, escapes: Readonly<Record<string, Predicate>>): Predicate {
  const { kind, value, negate } = node;
  if (kind === 'any' || (kind === 'dot' && dotAll)) return () => true;
  if (kind === 'dot' || kind === 'newline') return (codePoint) => codePoint !== 10;
  const set = kind === 'posix' ? POSIX[value] : kind === 'property' ? property(value) : escapes[kind];
  if (set === undefined) throw new RegexError(value === undefined ? '\\X' : `the property ${value}`);
  return negate ? (codePoint) => !set(codePoint) : set;
}

function whateverCase(set: Predicate, negated: boolean): Predicate {
  const { same, spelled } = folding();
  // Oniguruma then takes "ss" for [ß], which is more than one character.
  const several = negated ? undefined : spelled.find(set);
  if (several !== undefined)
    throw new RegexError(`brackets with "${String.fromCodePoint(several)}" where case is ignored`);
  return (codePoint) => same(codePoint).some(set);
}
