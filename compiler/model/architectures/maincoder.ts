/** Maincoder: as Hunyuan's dense models, with neighbours as the rope's pairs. */
import type { Architecture } from './architecture.js';
import { hunyuanDense } from './hunyuan.js';

export const maincoder: Architecture = { ...hunyuanDense, name: 'maincoder', ropePairing: 'adjacent' };
