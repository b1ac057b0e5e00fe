/** Ling 2.0 (Mini, Flash): head norms, dense layers before those with experts, which are in groups; shared experts as one. */
import type { Architecture } from './architecture.js';
import { dots1 } from './dots1.js';
import { STACKED_QKV } from './stacked_qkv.js';

const { layer, dense, shared, ...experts } = dots1.experts!;

export const bailingmoe2: Architecture = {
  ...dots1,
  name: 'bailingmoe2',
  nextn: true,
  experts: {
    ...experts,
    grouped: true,
    layer: { ...layer, ...STACKED_QKV },
    dense: { ...dense!, ...STACKED_QKV },
    shared: { ...shared!, stated: true },
  },
};
