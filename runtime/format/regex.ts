/** Regular expressions of ECMAScript, with its flag u, as expressions. What is no regular language is refused by name. */
import { type AST, RegExpParser } from '@eslint-community/regexpp';
import { ALL, type CharSet, charSet, negated, without } from './char_set.js';
import { characters, choice, EMPTY, type Expression, repeat, sequence, shared } from './expression.js';
import { FormatError } from './format_error.js';

export interface RegexOptions {
  /** The whole text is to match, not a part of it. */
  readonly whole: boolean;
  /** How a character of a set is written; as it is unless given. */
  readonly write?: (set: CharSet) => Expression;
}

const MOST_REPEATS = 100_000;
const LINE_ENDS = charSet([
  [0x0a, 0x0a],
  [0x0d, 0x0d],
  [0x2028, 0x2029],
]);

/** Errors: FormatError. */
export function regex(source: string, { whole, write = characters }: RegexOptions): Expression {
  return new Converter(write).whole(parse(source), whole);
}

function parse(source: string): AST.Pattern {
  try {
    return new RegExpParser({ ecmaVersion: 2024 }).parsePattern(source, 0, source.length, { unicode: true });
  } catch (error) {
    throw new FormatError(`it is no regular expression of ECMAScript with the flag u: ${(error as Error).message}`);
  }
}

class Converter {
  constructor(private readonly write: (set: CharSet) => Expression) {}

  /** Of each alternative, anchors stand at its ends. */
  whole({ alternatives }: AST.Pattern, isWhole: boolean): Expression {
    const anything = repeat(shared('any character', this.write(ALL)));
    return choice(
      ...alternatives.map(({ elements }) => {
        const isEdge = (element: AST.Element | undefined, kind: 'start' | 'end') =>
          element?.type === 'Assertion' && element.kind === kind;
        let [from, to] = [0, elements.length];
        while (isEdge(elements[from], 'start')) from++;
        while (to > from && isEdge(elements[to - 1], 'end')) to--;
        const inner = elements.slice(from, to).map((element) => this.#element(element));
        const before = isWhole || from > 0 ? [] : [anything];
        const after = isWhole || to < elements.length ? [] : [anything];
        return sequence(...before, ...inner, ...after);
      }),
    );
  }

  #alternatives(alternatives: readonly AST.Alternative[]): Expression {
    return choice(
      ...alternatives.map(({ elements }) =>
        elements.length === 0 ? EMPTY : sequence(...elements.map((element) => this.#element(element))),
      ),
    );
  }

  #element(element: AST.Element): Expression {
    switch (element.type) {
      case 'Character':
        return this.write(charSet([[element.value, element.value]]));
      case 'CharacterSet':
      case 'CharacterClass':
        return this.write(setOf(element));
      case 'Group':
        if (element.modifiers) throw refused(element, 'modifiers of a group are');
        return this.#alternatives(element.alternatives);
      case 'CapturingGroup':
        return this.#alternatives(element.alternatives);
      case 'Quantifier':
        return this.#quantifier(element);
      case 'Assertion':
        if (element.kind === 'word') throw refused(element, 'a word boundary is');
        if (element.kind === 'start' || element.kind === 'end')
          throw refused(element, 'an anchor that is not at an end of the expression is');
        throw refused(element, `a ${element.kind} is`);
      case 'Backreference':
        throw refused(element, 'a backreference is');
      default:
        throw refused(element, 'this is');
    }
  }

  #quantifier({ element, min, max, raw }: AST.Quantifier): Expression {
    if (min > MOST_REPEATS || (Number.isFinite(max) && max > MOST_REPEATS))
      throw new FormatError(`"${raw}" repeats more than ${MOST_REPEATS} times`);
    return repeat(shared('repeated', this.#element(element)), min, max);
  }
}

const refused = ({ raw }: { raw: string }, what: string) => new FormatError(`"${raw}": ${what} not supported`);

const DIGIT = charSet([[0x30, 0x39]]);
const WORD = charSet([
  [0x30, 0x39],
  [0x41, 0x5a],
  [0x5f, 0x5f],
  [0x61, 0x7a],
]);
const found = new Map<string, CharSet>();

function setOf(node: AST.CharacterSet | AST.CharacterClass | AST.CharacterClassElement): CharSet {
  if (node.type === 'Character') return charSet([[node.value, node.value]]);
  if (node.type === 'CharacterClassRange') return charSet([[node.min.value, node.max.value]]);
  if (node.type === 'CharacterClass') {
    if (node.unicodeSets) throw refused(node, 'a class of sets is');
    const set = charSet(node.elements.flatMap((element) => setOf(element)));
    return node.negate ? negated(set) : set;
  }
  if (node.type !== 'CharacterSet') throw refused(node, 'this is');
  if (node.kind === 'any') return without(ALL, LINE_ENDS);
  const plain = node.kind === 'digit' ? DIGIT : node.kind === 'word' ? WORD : undefined;
  if (plain && 'negate' in node) return node.negate ? negated(plain) : plain;
  return asked(node.raw);
}

/** Of the characters that this escape takes, by trying each. */
function asked(raw: string): CharSet {
  const known = found.get(raw);
  if (known) return known;
  const pattern = new RegExp(raw, 'u');
  const ranges: [number, number][] = [];
  for (const [from, to] of ALL)
    for (let code = from; code <= to; code++) {
      if (!pattern.test(String.fromCodePoint(code))) continue;
      const last = ranges.at(-1);
      if (last && last[1] === code - 1) last[1] = code;
      else ranges.push([code, code]);
    }
  found.set(raw, ranges);
  return ranges;
}
