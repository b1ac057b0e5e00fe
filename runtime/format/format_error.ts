/** A format that cannot be enforced, or not within the bounds; the message says where and why. */
export class FormatError extends Error {
  override name = 'FormatError';
}
