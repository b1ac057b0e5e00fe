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
import { isClass, setOf } from './classes.js';
import { type Flags, groupFlags, isolateFlags, NO_FLAGS, visit } from './flags.js';
import { Assert, Op, type Program } from './program.js';
import { ProgramWriter } from './program_writer.js';
import { RegexError } from './regex_error.js';
import { canBeEmpty, widthOf } from './widths.js';

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
  return new Compiler(parseRegex(source)).compile();
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
  readonly #out: ProgramWriter;
  readonly #groups = new Map<string | number, { node: Node; flags: Flags }>();
  readonly #captures: boolean;
  /** Groups that are being repeated by \g. */
  readonly #open = new Set<string | number>();
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
    this.#out = new ProgramWriter(2 + (again ? 2 * groups : 0));
    if (again) this.#out.memoryless = false;
  }

  compile(): Program {
    this.#alternatives(this.regex.body, NO_FLAGS);
    return this.#out.program();
  }

  #alternatives(alternatives: readonly AlternativeNode[], flags: Flags): void {
    if (++this.#depth > MOST_DEPTH) throw new RegexError('groups nested this deep');
    const all = isolateFlags(alternatives);
    const ends = all.slice(0, -1).map(({ body }) => {
      const split = this.#out.split();
      this.#sequence(body, flags);
      const end = this.#out.emit(Op.JUMP);
      this.#out.land(split);
      return end;
    });
    this.#sequence(all.at(-1)!.body, flags);
    for (const end of ends) this.#out.land(end);
    this.#depth--;
  }

  #sequence(nodes: readonly Node[], flags: Flags): void {
    for (let at = 0; at < nodes.length; at++) {
      const letters = flags.ignoreCase ? lettersAt(nodes, at) : [];
      if (letters.length === 0) this.#node(nodes[at]!, flags);
      else {
        this.#out.caseless(letters);
        at += letters.length - 1;
      }
    }
  }

  #node(node: Node, flags: Flags): void {
    if (node.type === 'CharacterSet' && node.variableLength) this.#newline(node);
    else if (isClass(node)) this.#out.set(setOf(node, flags));
    else if (node.type === 'Character')
      flags.ignoreCase ? this.#out.caseless([node.value]) : this.#out.emit(Op.CHAR, node.value);
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
        this.#out.emit(Op.FAIL);
        break;
      default:
        throw new RegexError(node.type === 'AbsenceFunction' ? 'the absent operator (?~' : `${node.type} here`);
    }
  }

  #group({ atomic, flags: changes, body }: GroupNode, flags: Flags): void {
    const inside = () => this.#alternatives(body, groupFlags(changes, flags));
    if (atomic) this.#out.atomic(inside);
    else inside();
  }

  #keep(): void {
    if (this.#looking) throw new RegexError('\\K in a look-around');
    this.#out.emit(Op.SAVE, 0);
  }

  #newline({ kind }: CharacterSetNode): void {
    if (kind !== 'newline') throw new RegexError('\\X');
    this.#out.newline();
  }

  #capture({ number, body }: CapturingGroupNode, flags: Flags): void {
    if (this.#captures) this.#out.emit(Op.SAVE, 2 * number);
    this.#alternatives(body, flags);
    if (this.#captures) this.#out.emit(Op.SAVE, 2 * number + 1);
  }

  #quantifier({ kind, min, max, body }: QuantifierNode, flags: Flags): void {
    const most = max ?? Number.POSITIVE_INFINITY;
    if (kind !== 'possessive') this.#repeat(body, min, most, kind === 'lazy', flags);
    else if (!isClass(body)) this.#out.atomic(() => this.#repeat(body, min, most, false, flags));
    else this.#out.run(setOf(body, flags), min, most);
  }

  #repeat(body: Node, min: number, max: number, lazy: boolean, flags: Flags): void {
    for (let i = 0; i < min; i++) this.#node(body, flags);
    const exits: number[] = [];
    if (max === Number.POSITIVE_INFINITY) this.#loop(body, lazy, flags);
    else for (let i = min; i < max; i++) exits.push(this.#out.option(() => this.#node(body, flags), lazy));
    for (const exit of exits) this.#out.land(exit);
  }

  #loop(body: Node, lazy: boolean, flags: Flags): void {
    const start = this.#out.at;
    let stuck: number | undefined;
    const exit = this.#out.option(() => {
      if (canBeEmpty(body)) stuck = this.#emptyRound(body, flags);
      else this.#node(body, flags);
    }, lazy);
    this.#out.emit(Op.JUMP, start);
    this.#out.land(exit);
    if (stuck !== undefined) this.#out.landElse(stuck);
  }

  /** The repetition ends where a round takes nothing. */
  #emptyRound(body: Node, flags: Flags): number {
    this.#out.memoryless = false;
    const slot = this.#out.slots++;
    this.#out.emit(Op.SAVE, slot);
    this.#node(body, flags);
    return this.#out.emit(Op.UNLESS_MOVED, slot);
  }

  #assertion(kind: string, negate: boolean): void {
    const known = ASSERTIONS[kind];
    if (known === undefined) throw new RegexError('\\y and \\Y');
    if (known === Assert.SEARCH_START) this.#out.memoryless = false;
    this.#out.emit(Op.ASSERT, known, negate ? 1 : 0);
  }

  #look(node: Extract<Node, { type: 'LookaroundAssertion' }>, flags: Flags): void {
    const behind = node.kind === 'lookbehind';
    const at = this.#out.emit(behind ? Op.BEHIND : Op.AHEAD, 0, node.negate ? 1 : 0);
    if (behind) this.#out.widths.set(at, widthOf(node.body, flags));
    const outer = this.#looking;
    this.#looking = true;
    this.#alternatives(node.body, flags);
    this.#looking = outer;
    this.#out.emit(Op.END);
    this.#out.land(at);
  }

  #again(ref: string | number, { ignoreCase }: Flags): void {
    const group = this.#groups.get(ref)?.node;
    if (group?.type !== 'CapturingGroup') throw new RegexError(`the reference ${ref}`);
    this.#out.emit(Op.AGAIN, 2 * group.number, ignoreCase ? 1 : 0);
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
