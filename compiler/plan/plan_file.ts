/** plan.json, read again: of an artifact that may come from anybody, so all of it is checked. */
import { join } from 'node:path';
import { parseJson, readArtifactFile } from '../../runtime/artifact_folder/artifact_file.js';
import { FILES } from '../../runtime/artifact_folder/names.js';
import { isTable, shown } from '../../runtime/artifact_folder/shape.js';
import { CompileError } from '../../runtime/common/errors.js';
import { PLAN_VERSION, type Plan, verifyPlan } from './plan.js';
import { isPlan } from './plan_shape.js';

/** Half a billion bytes: JavaScript's longest text. */
const MOST_BYTES = 2 ** 29 - 32;

/** The plan of an artifact. Errors: CompileError that names what is wrong in it, and where. */
export function readPlan(folder: string): Plan {
  const fail = (problem: string): never => {
    throw new CompileError(`${join(folder, FILES.plan)}: ${problem}; compile the model again`);
  };
  const bytes = readArtifactFile(folder, FILES.plan, MOST_BYTES);
  if (bytes === undefined) return fail('missing');
  let value: unknown;
  try {
    value = parseJson(bytes.toString('utf8'));
  } catch (error) {
    return fail(`not JSON: ${(error as Error).message}`);
  }
  const version = isTable(value) ? value.version : undefined;
  if (version !== PLAN_VERSION) return fail(`plan version ${shown(version)}, this compiler reads ${PLAN_VERSION}`);
  const problem = isPlan(value, '');
  if (problem !== undefined) return fail(problem);
  try {
    return verifyPlan(value as Plan);
  } catch (error) {
    return fail((error as Error).message);
  }
}
