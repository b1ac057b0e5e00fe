/** Granite 3 with experts: the same, but whatever the file says of its training, queries and keys have rope. */
import type { Architecture } from './architecture.js';
import { granite, graniteConstants } from './granite.js';

export const granitemoe: Architecture = {
  ...granite,
  name: 'granitemoe',
  features: (keys) => graniteConstants(keys),
};
