/** Plan -> every emitted file of an artifact. */
import type { Plan } from '../plan/plan.js';
import { bindingFiles } from './binding.js';
import { bindingConstants } from './constants.js';
import { identifier } from './names.js';
import { type EmittedFiles, render } from './render.js';

export function emit(plan: Plan): EmittedFiles {
  return new Map([...render(plan), ...bindingFiles(identifier(plan.model.name), bindingConstants(plan))]);
}
