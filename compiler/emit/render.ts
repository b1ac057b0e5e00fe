/** View -> text, by the handlebars templates in templates/. */
import { readFileSync } from 'node:fs';
import Handlebars from 'handlebars';
import { FILES } from '../../runtime/artifact_folder/names.js';
import { packageFile } from '../../runtime/common/package.js';
import type { Plan } from '../plan/plan.js';
import { planJson } from '../plan/plan.js';
import { view } from './view.js';

/** The emitted files of an artifact: path in its folder -> content. Deterministic to the byte. */
export type EmittedFiles = ReadonlyMap<string, string>;

export function render(plan: Plan): EmittedFiles {
  const data = view(plan);
  const templates = [FILES.graph, FILES.kernels, FILES.model, FILES.cmake, ...(data.host ? [] : [FILES.code])];
  const files = new Map(templates.map((name) => [name as string, template(name)(data)]));
  files.set(FILES.plan, planJson(plan));
  return files;
}

function template(name: string): (data: unknown) => string {
  const source = readFileSync(packageFile('templates', `${name}.hbs`), 'utf8');
  return Handlebars.compile(source, { noEscape: true, strict: true, assumeObjects: true });
}
