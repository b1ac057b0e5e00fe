/** `realizar-compile inspect`: of a model file or folder, or an artifact folder, as data and as text. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { FILES } from '../runtime/artifact_folder/names.js';
import { CONFIG, isFolder } from '../runtime/files/safetensors/folder.js';
import { checkText, textLines } from '../runtime/text/check.js';
import { type PlanOptions, planModel } from './compile.js';
import { inspectArtifact } from './inspect_artifact.js';
import { renderArtifact } from './inspect_artifact_text.js';
import { inspectNodes } from './inspect_nodes.js';
import { inspectFile } from './model/inspect.js';
import { renderInspection, section } from './model/inspect_text.js';
import { nodeRows } from './print.js';

/**
 * `defaults`: what a compile without options would plan with.
 * A folder is an artifact, or a model where it has a config.json and no manifest. Errors: CompileError for what is neither.
 */
export function inspect(
  path: string,
  defaults = (): PlanOptions => ({ target: 'cuda' }),
): readonly [data: object, text: string] {
  if (isFolder(path) && (existsSync(join(path, FILES.manifest)) || !existsSync(join(path, CONFIG)))) {
    const inspection = inspectArtifact(path);
    return [inspection, renderArtifact(inspection)];
  }
  const inspection = inspectFile(path);
  if (inspection.refusal !== null) return [{ ...inspection, text: null, nodes: null }, renderInspection(inspection)];
  const report = checkText(path);
  const text = renderInspection(inspection, textLines(report, path));
  const plan = planModel(path, defaults());
  const nodes = inspectNodes(plan);
  const title = `Kernel sequence for ${plan.target.archs.join(',')} (${nodes.length} nodes a token)`;
  return [{ ...inspection, text: report, nodes }, `${text}\n${section(title, ...nodeRows(nodes))}`];
}
