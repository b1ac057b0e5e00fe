/** Where a pattern matches in a text, and what a split makes of that. */
import { Expression, type Range } from '../regex/index.js';

/** Gives its matches from the left; they do not overlap. */
export type Pattern = (text: string) => readonly Range[];

export function textPattern(wanted: string): Pattern {
  if (wanted === '') {
    const everywhere = new Expression('');
    return (text) => everywhere.matches(text);
  }
  return (text) => {
    const found: Range[] = [];
    for (let at = text.indexOf(wanted); at >= 0; at = text.indexOf(wanted, at + wanted.length))
      found.push([at, at + wanted.length]);
    return found;
  };
}

/** A pattern of this program, in JavaScript's dialect. */
export function ownPattern(source: string): Pattern {
  const pattern = new RegExp(source, 'gu');
  return (text) => Array.from(text.matchAll(pattern), ({ 0: match, index }) => [index, index + match.length]);
}

/** Stops where more than `most` characters come of it. */
export function replaceMatches(text: string, pattern: Pattern, content: string, most = 1 << 24): string {
  if (text === '') return text;
  let [replaced, end] = ['', 0];
  for (const [from, to] of pattern(text)) {
    replaced += text.slice(end, from) + content;
    end = to;
    if (replaced.length > most) break;
  }
  return replaced + text.slice(end);
}

export const BEHAVIORS = ['Removed', 'Isolated', 'MergedWithPrevious', 'MergedWithNext', 'Contiguous'] as const;
export type Behavior = (typeof BEHAVIORS)[number];

interface Part {
  start: number;
  end: number;
  readonly matches: boolean;
}

/** The text's pieces, none of them empty, and where each starts. */
export function splitText(text: string, pattern: Pattern, behavior: Behavior, invert = false): [string, number][] {
  const all = partsOf(text, pattern).map((part) => ({ ...part, matches: part.matches !== invert }));
  const kept = MERGES[behavior](all);
  return kept.filter(({ start, end }) => end > start).map(({ start, end }) => [text.slice(start, end), start]);
}

/** Matches and what lies between them. */
function partsOf(text: string, pattern: Pattern): Part[] {
  const parts: Part[] = [];
  let end = 0;
  for (const [from, to] of pattern(text)) {
    if (from !== end) parts.push({ start: end, end: from, matches: false });
    parts.push({ start: from, end: to, matches: true });
    end = to;
  }
  if (end < text.length) parts.push({ start: end, end: text.length, matches: false });
  return parts;
}

const MERGES: Readonly<Record<Behavior, (parts: Part[]) => Part[]>> = {
  Removed: (parts) => parts.filter(({ matches }) => !matches),
  Isolated: (parts) => parts,
  Contiguous: (parts) => merge(parts, (part, before) => part.matches === before),
  MergedWithPrevious: (parts) => merge(parts, (part, before) => part.matches && !before),
  MergedWithNext: (parts) => merge(parts.reverse(), (part, before) => part.matches && !before).reverse(),
};

/** Joins a part with its neighbour where `joins` says so; `before`: whether that one, as it was, matched. */
function merge(parts: readonly Part[], joins: (part: Part, before: boolean) => boolean): Part[] {
  const merged: Part[] = [];
  let before = false;
  for (const part of parts) {
    const last = merged.at(-1);
    if (last && joins(part, before)) {
      last.start = Math.min(last.start, part.start);
      last.end = Math.max(last.end, part.end);
    } else merged.push({ ...part });
    before = part.matches;
  }
  return merged;
}
