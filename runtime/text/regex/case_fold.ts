/** Which characters are one where case is ignored. Unicode's simple folding, and its foldings to several characters. */

export interface Folding {
  /** All that are the same as it, itself included. */
  same(codePoint: number): readonly number[];
  /** All that fold to several. */
  readonly spelled: readonly number[];
  /** What it folds to, where that is several characters: "ss" of "ß". */
  several(codePoint: number): string | undefined;
  /** Characters that fold to this text of several. */
  foldingTo(text: string): readonly number[];
  /** The length of the longest such text. */
  readonly longest: number;
}

let made: Folding | undefined;

export function folding(): Folding {
  made ??= makeFolding();
  return made;
}

const escaped = (codePoint: number) => `\\u{${codePoint.toString(16)}}`;
const lengthOf = (text: string) => [...text].length;

function makeFolding(): Folding {
  const cased = casedCharacters();
  const groups = new Map<string, number[]>();
  const several = new Map<number, string>();
  const folded = new Map<string, number[]>();
  const add = <K, V>(map: Map<K, V[]>, key: K, value: V) => map.set(key, [...(map.get(key) ?? []), value]);
  for (const codePoint of cased) {
    const character = String.fromCodePoint(codePoint);
    const upper = character.toUpperCase();
    const full = upper.toLowerCase();
    add(groups, lengthOf(full) === 1 ? full : character.toLowerCase(), codePoint);
    const text = lengthOf(full) > 1 ? full : character.toLowerCase();
    if (lengthOf(text) === 1) continue;
    several.set(codePoint, text);
    add(folded, text, codePoint);
  }
  // ẞ has a lower-case letter of its own, and is "ss" all the same.
  for (const codePoint of cased) {
    const lower = String.fromCodePoint(codePoint).toLowerCase();
    const text = lengthOf(lower) === 1 ? several.get(lower.codePointAt(0)!) : undefined;
    if (text === undefined || several.has(codePoint)) continue;
    several.set(codePoint, text);
    add(folded, text, codePoint);
  }
  const same = new Map<number, number[]>();
  for (const group of groups.values())
    for (const codePoint of group) {
      const pattern = new RegExp(`^${escaped(codePoint)}$`, 'iu');
      same.set(
        codePoint,
        group.filter((other) => pattern.test(String.fromCodePoint(other))),
      );
    }
  return {
    same: (codePoint) => same.get(codePoint) ?? [codePoint],
    spelled: [...several.keys()],
    several: (codePoint) => several.get(codePoint),
    foldingTo: (text) => folded.get(text) ?? [],
    longest: Math.max(...[...folded.keys()].map(lengthOf)),
  };
}

function casedCharacters(): number[] {
  const pattern = /[\p{Changes_When_Casemapped}\p{Changes_When_Casefolded}]/u;
  const found: number[] = [];
  for (let codePoint = 0; codePoint < 0x20000; codePoint++)
    if ((codePoint < 0xd800 || codePoint > 0xdfff) && pattern.test(String.fromCodePoint(codePoint)))
      found.push(codePoint);
  return found;
}
