/** With which characters a match of a program can begin. */
import { CharSet, type Predicate } from './char_set.js';
import { Op, type Program } from './program.js';

/** Undefined where a match can be empty. */
export function firstCharacters({ op, a, b, c, sets }: Program): CharSet | undefined {
  const predicates: Predicate[] = [];
  const seen = new Set<number>();
  let canBeEmpty = false;
  const follow = (pc: number): void => {
    while (!seen.has(pc)) {
      seen.add(pc);
      switch (op[pc]) {
        case Op.CHAR: {
          const character = a[pc];
          predicates.push((codePoint) => codePoint === character);
          return;
        }
        case Op.SET:
        case Op.RUN: {
          const set = sets[a[pc]!]!;
          predicates.push((codePoint) => set.has(codePoint));
          if (op[pc] === Op.SET || c[pc]! > 0) return;
          pc++;
          break;
        }
        case Op.SPLIT:
          follow(pc + 1);
          pc = a[pc]!;
          break;
        case Op.JUMP:
        case Op.AHEAD:
        case Op.BEHIND:
          pc = a[pc]!;
          break;
        case Op.UNLESS_MOVED:
          follow(b[pc]!);
          pc++;
          break;
        case Op.FAIL:
          return;
        case Op.ASSERT:
        case Op.SAVE:
        case Op.ATOMIC:
          pc++;
          break;
        default:
          canBeEmpty = true;
          return;
      }
    }
  };
  follow(0);
  if (canBeEmpty) return undefined;
  return new CharSet((codePoint) => predicates.some((takes) => takes(codePoint)));
}
