/** Prints an ArtifactInspection for a terminal. */

import { formatBytes } from '../runtime/common/text.js';
import type { ArtifactInspection } from './inspect_artifact.js';
import { plain, section, tensorSection } from './model/inspect_text.js';
import { nodeRows } from './print.js';

export function renderArtifact(inspection: ArtifactInspection): string {
  const { path, damages, tensors, types, nodes } = inspection;
  return [
    path,
    damages.length === 0
      ? 'an artifact, its files as they were built'
      : `an artifact that has changed: ${damages.join('; ')}`,
    section('Metadata', metadataRows(inspection)),
    tensorSection(tensors),
    section(
      'Types',
      types.map(({ type, tensors, bytes }) => [type, `${tensors} tensors`, formatBytes(bytes)]),
      [0, 1, 1],
    ),
    memoryText(inspection.memory),
    section(`Kernel sequence (${nodes.length} nodes a token)`, ...nodeRows(nodes)),
  ].join('\n');
}

function metadataRows({ manifest, gpu, machine }: ArtifactInspection): string[][] {
  const { target, archs, cuda, model, library } = manifest;
  return [
    ['model', manifest.name],
    ['architecture', plain(manifest.architecture)],
    ['target', [target, ...archs].join(' ')],
    ...(gpu
      ? [
          [
            'planned for',
            `${plain(gpu.name)}, ${gpu.multiprocessors} multiprocessors; runs on other GPUs of ${archs.join(',')} as well`,
          ],
        ]
      : []),
    ...(cuda ? [['CUDA', `built with ${cuda.toolkit}, needs a driver for ${cuda.leastDriver}`]] : []),
    ['compiler', manifest.compilerVersion],
    [
      'library',
      library ? `${library}${machine ? `, for Linux on ${machine}` : ''}` : 'none: it was emitted with --no-build',
    ],
    ['context', `${manifest.contextLength} tokens`],
    ['GGUF file', `${model.fileBytes} bytes, header ${model.headerBytes} bytes`],
    ['header SHA-256', model.headerSha256],
  ];
}

function memoryText({ weightsBytes, arenaBytes, kvCache }: ArtifactInspection['memory']): string {
  const rows = kvCache.map(({ context, bytes, sequences }, i) => [
    `${context} tokens`,
    `${formatBytes(bytes)} KV cache`,
    `${formatBytes(weightsBytes + arenaBytes + bytes)} in all`,
    sequences.map(({ gib, count }) => `${count} sequences in ${gib} GiB`).join(', '),
    i === kvCache.length - 1 ? 'as compiled' : `with --context ${context}`,
  ]);
  const title = `Memory: weights ${formatBytes(weightsBytes)}, activations ${formatBytes(arenaBytes)}, and an f16 KV cache for a context of`;
  return section(title, rows, [1, 1, 1, 1]);
}
