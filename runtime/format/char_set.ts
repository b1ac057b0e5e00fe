/** Sets of characters: ranges of code points, ascending and apart, without surrogates, which no text has. */
export type CharSet = readonly (readonly [from: number, to: number])[];

export const ALL: CharSet = [
  [0, 0xd7ff],
  [0xe000, 0x10ffff],
];

/** Of ranges in any order. */
export function charSet(ranges: CharSet): CharSet {
  const sorted = [...ranges].sort((a, b) => a[0] - b[0]);
  const merged: [number, number][] = [];
  for (const [from, to] of sorted) {
    const last = merged.at(-1);
    if (last && from <= last[1] + 1) last[1] = Math.max(last[1], to);
    else merged.push([from, to]);
  }
  return intersection(merged, ALL);
}

export const charsOf = (text: string): CharSet =>
  charSet([...text].map((char) => [char.codePointAt(0)!, char.codePointAt(0)!]));

export function intersection(a: CharSet, b: CharSet): CharSet {
  const both: [number, number][] = [];
  for (const [from, to] of a)
    for (const [otherFrom, otherTo] of b) {
      const [start, end] = [Math.max(from, otherFrom), Math.min(to, otherTo)];
      if (start <= end) both.push([start, end]);
    }
  return both;
}

export function negated(set: CharSet): CharSet {
  const rest: [number, number][] = [];
  let next = 0;
  for (const [from, to] of set) {
    if (from > next) rest.push([next, from - 1]);
    next = to + 1;
  }
  if (next <= 0x10ffff) rest.push([next, 0x10ffff]);
  return intersection(rest, ALL);
}

export const without = (set: CharSet, other: CharSet): CharSet => intersection(set, negated(other));
