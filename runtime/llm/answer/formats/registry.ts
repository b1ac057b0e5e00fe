/** The formats that are known, in the order in which a call that a template made is looked at. */
import type { ToolFormat } from './format.js';
import { functionParameters } from './function_parameters.js';
import { glm } from './glm.js';
import { harmony } from './harmony.js';
import { hermes } from './hermes.js';
import { llama } from './llama.js';
import { mistral } from './mistral.js';

export const TOOL_FORMATS: readonly ToolFormat[] = [harmony, glm, functionParameters, mistral, hermes, llama];

/** `auto`: what the chat template says; `none`: calls are text. */
export const TOOL_FORMAT_NAMES = ['auto', 'none', ...TOOL_FORMATS.map(({ name }) => name)] as const;
