import type { Json } from '../../files/json.js';

/** More than any vocabulary has. */
const MOST_IDS = 1 << 22;

export const isId = (value: Json | undefined): value is number =>
  Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) < MOST_IDS;
