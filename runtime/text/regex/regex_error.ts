/** An expression has what is not supported, or takes too long; the message says which, as the end of a sentence. */
export class RegexError extends Error {
  override name = 'RegexError';
}
