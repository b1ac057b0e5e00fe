/** Context buckets: ranges of the context's length, each with the attention kernels that are fastest there. */
import { type AttendConfig, attendConfigs, attendCost, bucketLimits } from '../kernels/attend/config.js';
import type { Attend } from '../kernels/attend/operation.js';
import type { FusedOp } from '../kernels/index.js';
import type { Planning } from './lowering.js';
import { tunedFor } from './tuning.js';

export interface Buckets {
  /** The longest context of each bucket but the last, which goes to the end of the context; ascending. */
  readonly limits: readonly number[];
  /** An attention's kernel in each bucket, the last included. */
  readonly configs: ReadonlyMap<Attend, readonly AttendConfig[]>;
}

/** Buckets whose kernels are all the same are one; of more than the target allows, those go that save least. */
export function attentionBuckets(ops: readonly FusedOp[], planning: Planning, coResident = false): Buckets {
  const { contextLength, target } = planning;
  const attentions = ops.filter((op) => op.kind === 'attend');
  const limits = bucketLimits(contextLength, target);
  const configs = new Map(
    attentions.map((op) => {
      const [untuned] = attendConfigs(op, [contextLength], planning, target, coResident);
      return [op, attendConfigs(op, limits, planning, tunedFor(untuned!, planning), coResident)];
    }),
  );
  /** Microseconds of a token more at a bucket's limit, where the next bucket serves it. */
  const saved = (bucket: number): number => {
    let us = 0;
    for (const own of configs.values())
      us += attendCost(own[bucket + 1]!, limits[bucket]!, target) - attendCost(own[bucket]!, limits[bucket]!, target);
    return us;
  };
  const drop = (bucket: number) => {
    limits.splice(bucket, 1);
    for (const own of configs.values()) own.splice(bucket, 1);
  };
  const isSame = (bucket: number) => [...configs.values()].every((own) => own[bucket] === own[bucket + 1]);
  for (let bucket = limits.length - 2; bucket >= 0; bucket--) if (isSame(bucket)) drop(bucket);
  while (limits.length > target.attention.maxBuckets) {
    const buckets = limits.slice(0, -1).map((_, bucket) => bucket);
    drop(buckets.reduce((least, other) => (saved(other) < saved(least) ? other : least)));
  }
  return { limits: limits.slice(0, -1), configs };
}
