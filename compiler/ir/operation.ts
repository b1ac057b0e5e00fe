/** What the compiler knows of a kind of operation, be it primitive or a kernel's. */

import type { Checks } from './checks.js';
import type { Effects } from './effects.js';

export interface Operation<Op> {
  reads(op: Op): Effects;
  writes(op: Op): Effects;
  /** The rules about the sizes of its operands; graph/verify.ts says what breaks when they do not hold. */
  check(op: Op, checks: Checks): void;
}
