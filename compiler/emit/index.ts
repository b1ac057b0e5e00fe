/** Plan -> every emitted file of an artifact. */
import type { Plan } from '../plan/plan.js';
import { type EmittedFiles, render } from './render.js';

export function emit(plan: Plan): EmittedFiles {
  return render(plan);
}
