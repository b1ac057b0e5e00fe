/** Strings from a model file are foreign: they reach a terminal or a log only through here. */

/** Control characters, and those that reorder or hide text around them. */
const UNPRINTABLE = /[\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;

const escapeUnit = (unit: string): string => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;

/** A quoted, escaped, printable form of at most `limit` characters and an ellipsis. */
export function quote(text: string, limit = 100): string {
  const shown = text.length > limit ? `${text.slice(0, limit)}…` : text;
  return JSON.stringify(shown).replace(UNPRINTABLE, escapeUnit);
}

/** The first few of a list, and how many more there are: "a, b, c and 9 more". */
export function several(items: readonly string[], limit = 5): string {
  const more = items.length - limit;
  return items.slice(0, limit).join(', ') + (more > 0 ? ` and ${more} more` : '');
}
