/** Plan -> every emitted file of an artifact. */
import type { Plan } from '../plan/plan.js';
import { bindingFiles } from './binding.js';
import { identifier, libraryFile } from './names.js';
import { type EmittedFiles, render } from './render.js';

export function emit(plan: Plan): EmittedFiles {
  const { model, memory, target } = plan;
  const binding = bindingFiles({
    identifier: identifier(model.name),
    name: model.name,
    architecture: model.architecture,
    vocabSize: model.vocabSize,
    contextLength: model.contextLength,
    embeddingLength: model.embeddingLength,
    layerCount: model.layerCount,
    headCount: model.headCount,
    headCountKv: model.headCountKv,
    headSize: model.headSize,
    nodeCount: plan.programs[0].nodes.length,
    weightsBytes: memory.weightsBytes,
    kvCacheBytes: memory.kvCacheBytes,
    arenaBytes: memory.arenaBytes,
    target: target.kind,
    gpuArchs: target.archs,
    compilerVersion: plan.compilerVersion,
    fileBytes: model.fileBytes,
    headerSha256: model.headerSha256,
    library: libraryFile(model.name),
  });
  return new Map([...render(plan), ...binding]);
}
