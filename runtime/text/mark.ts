/**
 * Stands before a control token that untrusted text spells: it is no token there. A noncharacter, which shielded text
 * itself cannot have.
 */
export const MARK = '\ufdd0';

/** The text with a mark before each token that `spells` finds. */
export function shield(text: string, spells: (text: string, at: number) => boolean): string {
  const clean = text.replaceAll(MARK, '\ufffd');
  const pieces: string[] = [];
  let start = 0;
  for (let at = 0; at < clean.length; at++) {
    if (!spells(clean, at)) continue;
    pieces.push(clean.slice(start, at), MARK);
    start = at;
  }
  return pieces.join('') + clean.slice(start);
}

/** Takes the marks out again. */
export const unshield = (text: string): string => text.replaceAll(MARK, '');
