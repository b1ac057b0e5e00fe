/**
 * Regular expressions of the tokenizers library, in the dialect of Oniguruma (its syntax for Ruby), as instructions.
 * What cannot be had exactly is refused.
 */

import {
  type AlternativeNode,
  type CapturingGroupNode,
  type CharacterSetNode,
  type GroupNode,
  type Node,
  parse,
  type QuantifierNode,
  type RegexNode,
} from 'oniguruma-parser/parser';
import { OnigUnicodePropertyMap } from 'oniguruma-parser/unicode';
import { folding } from './case_fold.js';
import { CharSet, type Predicate } from './char_set.js';
import { isClass, setOf } from './classes.js';
import { type Flags, groupFlags, isolateFlags, NO_FLAGS, visit } from './flags.js';
import { Assert, Op, type Program } from './program.js';
import { RegexError } from './regex_error.js';
import { canBeEmpty, widthOf } from './widths.js';

const MOST_INSTRUCTIONS = 1 << 14;
const MOST_DEPTH = 200;
const MOST_CHARACTERS = 1 << 16;

const ASSERTIONS: Readonly<Record<string, number>> = {
  line_start: Assert.LINE_START,
  line_end: Assert.LINE_END,
  string_start: Assert.TEXT_START,
  string_end: Assert.TEXT_END,
  string_end_newline: Assert.LAST_LINE_END,
  search_start: Assert.SEARCH_START,
  word_boundary: Assert.WORD_BOUNDARY,
};

/** Errors: RegexError says what of the expression is not supported. */
export function compileRegex(source: string): Program {
  return new Compiler(parseRegex(source)).program();
}

function parseRegex(source: string): RegexNode {
  if (source.length > MOST_CHARACTERS) throw new RegexError(`more than ${MOST_CHARACTERS} characters`);
  // The parser takes \p{Punct} for [[:punct:]], which has symbols besides.
  const plain = source.replace(/\\(?:([pP])\{(\^?)[ _-]*punct[ _-]*\}|[\s\S])/gi, (all, p?: string, not?: string) =>
    p === undefined ? all : `\\${p}{${not}P}`,
  );
  try {
    return parse(plain, { unicodePropertyMap: OnigUnicodePropertyMap });
  } catch (error) {
    if (error instanceof RangeError) throw new RegexError('groups nested this deep');
    throw new RegexError((error as Error).message);
  }
}

class Compiler {
  readonly #op: number[] = [];
  readonly #a: number[] = [];
  readonly #b: number[] = [];
  readonly #c: number[] = [];
  readonly #sets: CharSet[] = [];
  readonly #widths = new Map<number, readonly [number, number]>();
  readonly #groups = new Map<string | number, { node: Node; flags: Flags }>();
  readonly #captures: boolean;
  /** Groups that are being repeated by \g. */
  readonly #open = new Set<string | number>();
  #splits = 0;
  #slots: number;
  #memoryless = true;
  #depth = 0;
  #looking = false;

  constructor(private readonly regex: RegexNode) {
    let [groups, again] = [0, false];
    visit(regex.body, NO_FLAGS, (node, flags) => {
      if (node.type === 'CapturingGroup') {
        groups = Math.max(groups, node.number);
        for (const key of [node.number, node.name ?? node.number]) this.#groups.set(key, { node, flags });
      }
      if (node.type === 'Backreference') again = true;
    });
    this.#captures = again;
    this.#slots = 2 + (again ? 2 * groups : 0);
    if (again) this.#memoryless = false;
  }

  program(): Program {
    this.#alternatives(this.regex.body, NO_FLAGS);
    this.#emit(Op.END);
    return {
      ...{ op: this.#op, a: this.#a, b: this.#b, c: this.#c, sets: this.#sets, widths: this.#widths },
      ...{ splits: this.#splits, slots: this.#slots, memoryless: this.#memoryless },
    };
  }

  #emit(op: number, a = 0, b = 0, c = 0): number {
    if (this.#op.length >= MOST_INSTRUCTIONS)
      throw new RegexError(`it has more than ${MOST_INSTRUCTIONS} steps once repetitions are written out`);
    this.#a.push(a);
    this.#b.push(b);
    this.#c.push(c);
    return this.#op.push(op) - 1;
  }

  /** Goes on at the next instruction first; where else is filled in later. */
  #split(): number {
    return this.#emit(Op.SPLIT, 0, this.#splits++);
  }

  /** Makes `at` go on at the next instruction. */
  #land(at: number): void {
    this.#a[at] = this.#op.length;
  }

  #alternatives(alternatives: readonly AlternativeNode[], flags: Flags): void {
    if (++this.#depth > MOST_DEPTH) throw new RegexError('groups nested this deep');
    const all = isolateFlags(alternatives);
    const ends = all.slice(0, -1).map(({ body }) => {
      const split = this.#split();
      this.#sequence(body, flags);
      const end = this.#emit(Op.JUMP);
      this.#land(split);
      return end;
    });
    this.#sequence(all.at(-1)!.body, flags);
    for (const end of ends) this.#land(end);
    this.#depth--;
  }

  #sequence(nodes: readonly Node[], flags: Flags): void {
    for (let at = 0; at < nodes.length; at++) {
      const letters = flags.ignoreCase ? lettersAt(nodes, at) : [];
      if (letters.length === 0) this.#node(nodes[at]!, flags);
      else {
        this.#caseless(letters);
        at += letters.length - 1;
      }
    }
  }

  #node(node: Node, flags: Flags): void {
    if (node.type === 'CharacterSet' && node.variableLength) this.#newline(node);
    else if (isClass(node)) this.#set(setOf(node, flags));
    else if (node.type === 'Character')
      flags.ignoreCase ? this.#caseless([node.value]) : this.#emit(Op.CHAR, node.value);
    else this.#structure(node, flags);
  }

  #structure(node: Node, flags: Flags): void {
    switch (node.type) {
      case 'Group':
        this.#group(node, flags);
        break;
      case 'CapturingGroup':
        this.#capture(node, flags);
        break;
      case 'Quantifier':
        this.#quantifier(node, flags);
        break;
      case 'Assertion':
        this.#assertion(node.kind, node.negate === true);
        break;
      case 'LookaroundAssertion':
        this.#look(node, flags);
        break;
      case 'Backreference':
        this.#again(node.ref, flags);
        break;
      case 'Subroutine':
        this.#call(node.ref);
        break;
      case 'Directive':
        if (node.kind === 'keep') this.#keep(); // flags: what follows is in a group of its own
        break;
      case 'NamedCallout':
        if (node.kind !== 'fail') throw new RegexError(`the callout ${node.kind}`);
        this.#emit(Op.FAIL);
        break;
      default:
        throw new RegexError(node.type === 'AbsenceFunction' ? 'the absent operator (?~' : `${node.type} here`);
    }
  }

  #group({ atomic, flags: changes, body }: GroupNode, flags: Flags): void {
    const inside = () => this.#alternatives(body, groupFlags(changes, flags));
    if (atomic) this.#atomic(inside);
    else inside();
  }

  #keep(): void {
    if (this.#looking) throw new RegexError('\\K in a look-around');
    this.#emit(Op.SAVE, 0);
  }

  #set(predicate: Predicate): number {
    return this.#emit(Op.SET, this.#sets.push(new CharSet(predicate)) - 1);
  }

  /** Letters whose case does not matter, and letters that stand for several: "ß" is "ss". */
  #caseless(letters: readonly number[]): void {
    const { same, several, foldingTo, longest } = folding();
    const jumps: { from: number; to: number }[] = [];
    const starts: number[] = [];
    for (const [at, letter] of letters.entries()) {
      starts.push(this.#op.length);
      for (let end = Math.min(letters.length, at + longest); end > at + 1; end--) {
        const text = String.fromCodePoint(...letters.slice(at, end)).toLowerCase();
        const whole = foldingTo(text);
        if (whole.length === 0) continue;
        const split = this.#split();
        this.#set((codePoint) => whole.includes(codePoint));
        jumps.push({ from: this.#emit(Op.JUMP), to: end });
        this.#land(split);
      }
      const spelled = several(letter);
      const split = spelled === undefined ? -1 : this.#split();
      const all = spelled === undefined ? same(letter) : [...same(letter), ...foldingTo(spelled)];
      this.#set((codePoint) => all.includes(codePoint));
      if (spelled === undefined) continue;
      jumps.push({ from: this.#emit(Op.JUMP), to: at + 1 });
      this.#land(split);
      this.#caseless([...spelled].map((character) => character.codePointAt(0)!));
    }
    starts.push(this.#op.length);
    for (const { from, to } of jumps) this.#a[from] = starts[to]!;
  }

  /** \R: a line's end, of which "\r\n" is one. */
  #newline({ kind }: CharacterSetNode): void {
    if (kind !== 'newline') throw new RegexError('\\X');
    this.#atomic(() => {
      const split = this.#split();
      this.#emit(Op.CHAR, 13);
      this.#emit(Op.CHAR, 10);
      const end = this.#emit(Op.JUMP);
      this.#land(split);
      this.#set((codePoint) => (codePoint >= 10 && codePoint <= 13) || [0x85, 0x2028, 0x2029].includes(codePoint));
      this.#land(end);
    });
  }

  #atomic(body: () => void): void {
    const at = this.#emit(Op.ATOMIC);
    body();
    this.#emit(Op.END);
    this.#land(at);
  }

  #capture({ number, body }: CapturingGroupNode, flags: Flags): void {
    if (this.#captures) this.#emit(Op.SAVE, 2 * number);
    this.#alternatives(body, flags);
    if (this.#captures) this.#emit(Op.SAVE, 2 * number + 1);
  }

  #quantifier({ kind, min, max, body }: QuantifierNode, flags: Flags): void {
    const most = max ?? Number.POSITIVE_INFINITY;
    if (kind !== 'possessive') this.#repeat(body, min, most, kind === 'lazy', flags);
    else if (!isClass(body)) this.#atomic(() => this.#repeat(body, min, most, false, flags));
    else this.#emit(Op.RUN, this.#sets.push(new CharSet(setOf(body, flags))) - 1, most, min);
  }

  #repeat(body: Node, min: number, max: number, lazy: boolean, flags: Flags): void {
    for (let i = 0; i < min; i++) this.#node(body, flags);
    const exits: number[] = [];
    if (max === Number.POSITIVE_INFINITY) this.#loop(body, lazy, flags);
    else for (let i = min; i < max; i++) exits.push(this.#option(() => this.#node(body, flags), lazy));
    for (const exit of exits) this.#land(exit);
  }

  /** Emits the body or nothing; gives the place whose instruction is to go on after it. */
  #option(body: () => void, lazy: boolean): number {
    const split = this.#split();
    const exit = lazy ? this.#emit(Op.JUMP) : split;
    if (lazy) this.#land(split);
    body();
    return exit;
  }

  #loop(body: Node, lazy: boolean, flags: Flags): void {
    const start = this.#op.length;
    let stuck: number | undefined;
    const exit = this.#option(() => {
      if (canBeEmpty(body)) stuck = this.#emptyRound(body, flags);
      else this.#node(body, flags);
    }, lazy);
    this.#emit(Op.JUMP, start);
    this.#land(exit);
    if (stuck !== undefined) this.#b[stuck] = this.#op.length;
  }

  /** The repetition ends where a round takes nothing. */
  #emptyRound(body: Node, flags: Flags): number {
    this.#memoryless = false;
    const slot = this.#slots++;
    this.#emit(Op.SAVE, slot);
    this.#node(body, flags);
    return this.#emit(Op.UNLESS_MOVED, slot);
  }

  #assertion(kind: string, negate: boolean): void {
    const known = ASSERTIONS[kind];
    if (known === undefined) throw new RegexError('\\y and \\Y');
    if (known === Assert.SEARCH_START) this.#memoryless = false;
    this.#emit(Op.ASSERT, known, negate ? 1 : 0);
  }

  #look(node: Extract<Node, { type: 'LookaroundAssertion' }>, flags: Flags): void {
    const behind = node.kind === 'lookbehind';
    const at = this.#emit(behind ? Op.BEHIND : Op.AHEAD, 0, node.negate ? 1 : 0);
    if (behind) this.#widths.set(at, widthOf(node.body, flags));
    const outer = this.#looking;
    this.#looking = true;
    this.#alternatives(node.body, flags);
    this.#looking = outer;
    this.#emit(Op.END);
    this.#land(at);
  }

  #again(ref: string | number, { ignoreCase }: Flags): void {
    const group = this.#groups.get(ref)?.node;
    if (group?.type !== 'CapturingGroup') throw new RegexError(`the reference ${ref}`);
    this.#emit(Op.AGAIN, 2 * group.number, ignoreCase ? 1 : 0);
  }

  /** \g: the group's expression once more. */
  #call(ref: string | number): void {
    const group = ref === 0 ? undefined : this.#groups.get(ref);
    if (group?.node.type !== 'CapturingGroup' || this.#open.has(group.node.number))
      throw new RegexError(`\\g<${ref}>, which contains itself`);
    const { number } = group.node;
    this.#open.add(number);
    this.#node(group.node, group.flags);
    this.#open.delete(number);
  }
}

/** The characters from here on that stand side by side. */
function lettersAt(nodes: readonly Node[], at: number): number[] {
  const letters: number[] = [];
  for (let node = nodes[at]; node?.type === 'Character'; node = nodes[++at]) letters.push(node.value);
  return letters;
}
