/** `realizar-compile verify`: is an artifact what this compiler makes, whole and unchanged? */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { planModel } from './compile.js';
import { emit } from './emit/index.js';
import { FILES } from './emit/names.js';
import { CompileError } from './errors.js';
import { readPlan } from './inspect_artifact.js';
import { damages, type Manifest, noArtifact, readManifest } from './manifest.js';
import { VERSION } from './package.js';
import type { Plan } from './plan/plan.js';

/** What was checked, a line each. Errors: CompileError that lists everything that is wrong. */
export function verifyArtifact(folder: string, model?: string): string {
  const manifest = readManifest(folder);
  if (!manifest) throw noArtifact(folder);
  const problems = damages(folder, manifest);
  if (manifest.compilerVersion !== VERSION)
    problems.push(`made by realizar-compile ${manifest.compilerVersion}, this is ${VERSION}`);
  if (problems.length === 0) problems.push(...sourceProblems(folder, manifest, model));
  if (problems.length > 0)
    throw new CompileError(
      `${folder} is not what it should be:\n${problems.map((p) => `  ${p}`).join('\n')}\ncompile the model again`,
    );
  const checked = [
    `${Object.keys(manifest.files).length} files unchanged since ${manifest.library ? 'the build' : 'they were emitted'}`,
    model === undefined
      ? 'source is what this compiler emits for its plan'
      : `source is what this compiler emits for ${model}`,
  ];
  return `${folder}: ${checked.join('; ')}\n`;
}

/** Emits again, from the model where there is one and else from the artifact's own plan, and compares. */
function sourceProblems(folder: string, manifest: Manifest, model: string | undefined): string[] {
  const plan = model === undefined ? readPlan(folder) : planAgain(manifest, model);
  return [...emit(plan)].flatMap(([name, content]) => {
    if (!(name in manifest.files)) return [`${name}: not in ${FILES.manifest}`];
    const found = readFileSync(join(folder, name), 'utf8');
    return found === content ? [] : [`${name}: not what this compiler emits for ${model ?? 'its plan'}`];
  });
}

function planAgain({ target, archs, contextLength, quantize }: Manifest, model: string): Plan {
  return planModel(model, { target, archs: target === 'cuda' ? archs : undefined, context: contextLength, quantize });
}
