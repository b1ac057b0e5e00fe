/** ERNIE 4.5 with experts, some of which a bias prefers, after dense layers. */
import {
  type Architecture,
  EXPERTS_LAYER,
  OPTIONAL_EXPERTS_GATE,
  OPTIONAL_SELECTION,
  SHARED_EXPERT,
} from './architecture.js';
import { ernie4_5 } from './ernie4_5.js';

const { layer, ...rest } = ernie4_5;

export const ernie4_5_moe: Architecture = {
  ...rest,
  name: 'ernie4_5-moe',
  experts: {
    weightsOver: 'chosen',
    width: 'feedForward',
    layer: { ...EXPERTS_LAYER, ...OPTIONAL_EXPERTS_GATE, ...OPTIONAL_SELECTION },
    dense: layer!,
    interleaved: true,
    shared: { layer: SHARED_EXPERT, stated: true, otherwise: 'none' },
  },
};
