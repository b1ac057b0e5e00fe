/** Any text up to and with another one, which comes once: at its end. */
import { ALL, charsOf, without } from './char_set.js';
import { characters, choice, EMPTY, Rule, rule, sequence } from './expression.js';

export function through(end: string): Rule {
  const chars = [...end];
  // By how much of the end has been written.
  const states = chars.map((_, written) => new Rule(`${written} of ${JSON.stringify(end)}`));
  const after = (written: number) => (written === chars.length ? EMPTY : rule(states[written]!));
  for (const [written, state] of states.entries()) {
    const ways = [...new Set(chars)].map((char) => [char, writtenWith(chars, written, char)] as const);
    state.body = choice(
      sequence(characters(without(ALL, charsOf(end))), after(0)),
      ...ways.map(([char, now]) => sequence(characters(charsOf(char)), after(now))),
    );
  }
  return states[0]!;
}

/** The longest beginning of the end that the text then ends with. */
function writtenWith(end: readonly string[], written: number, char: string): number {
  const last = [...end.slice(0, written), char];
  for (let length = Math.min(last.length, end.length); length > 0; length--)
    if (last.slice(-length).every((one, i) => one === end[i])) return length;
  return 0;
}
