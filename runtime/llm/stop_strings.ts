/** Where a text must end, and how much of its end may yet become a place to end. */

export interface Match {
  readonly stop: string;
  readonly start: number;
}

/** The stop string whose last character comes first; of those the longest. Tokens' borders do not matter to that. */
export function findStop(text: string, stops: readonly string[]): Match | undefined {
  let found: (Match & { end: number }) | undefined;
  for (const stop of stops) {
    const start = text.indexOf(stop);
    if (start < 0) continue;
    const end = start + stop.length;
    if (!found || end < found.end || (end === found.end && start < found.start)) found = { stop, start, end };
  }
  return found;
}

/** Length of the longest end of a text that a stop string begins with. */
export function possibleStop(text: string, stops: readonly string[]): number {
  let longest = 0;
  for (const stop of stops)
    for (let length = Math.min(stop.length - 1, text.length); length > longest; length--)
      if (text.endsWith(stop.slice(0, length))) longest = length;
  return longest;
}
