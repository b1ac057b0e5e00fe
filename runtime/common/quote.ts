/** Strings from a model file in what is said of it. */
import { printable } from './printable.js';

/** A quoted, escaped, printable form of at most `limit` characters and an ellipsis. */
export function quote(text: string, limit = 100): string {
  const shown = text.length > limit ? `${text.slice(0, limit)}…` : text;
  return printable(JSON.stringify(shown));
}

/** The first few of a list, and how many more there are: "a, b, c and 9 more". */
export function several(items: readonly string[], limit = 5): string {
  const more = items.length - limit;
  return items.slice(0, limit).join(', ') + (more > 0 ? ` and ${more} more` : '');
}
