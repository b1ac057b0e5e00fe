/** `realizar-compile inspect`: of a model file or an artifact folder, as data and as text. */
import { statSync } from 'node:fs';
import { planModel } from './compile.js';
import { inspectArtifact } from './inspect_artifact.js';
import { renderArtifact } from './inspect_artifact_text.js';
import { inspectNodes } from './inspect_nodes.js';
import { readGguf } from './model/gguf.js';
import { inspectModel } from './model/inspect.js';
import { renderInspection, section } from './model/inspect_text.js';
import { nodeRows } from './print.js';

/** Errors: CompileError for what is neither. */
export function inspect(path: string): readonly [data: object, text: string] {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) {
    const inspection = inspectArtifact(path);
    return [inspection, renderArtifact(inspection)];
  }
  const inspection = inspectModel(readGguf(path));
  const text = renderInspection(inspection);
  if (inspection.refusal !== null) return [{ ...inspection, nodes: null }, text];
  // What a compile without options would plan.
  const nodes = inspectNodes(planModel(path, { target: 'cuda' }));
  const title = `Kernel sequence for sm_90a (${nodes.length} nodes a token)`;
  return [{ ...inspection, nodes }, `${text}\n${section(title, ...nodeRows(nodes))}`];
}
