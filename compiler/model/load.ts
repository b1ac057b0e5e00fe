/** Raw metadata and tensor table -> ModelSpec: everything typed and checked, or an error that names what is wrong. */
import { basename } from 'node:path';
import { ModelFileError, UnsupportedError } from '../errors.js';
import type { Architecture } from './architectures/architecture.js';
import { ARCHITECTURES } from './architectures/index.js';
import type { GgufFile } from './gguf.js';
import { type Hyperparameters, readHyperparameters } from './hyperparameters.js';
import { quote } from './quote.js';
import { refuseFeatures, refuseShapeFeatures } from './refusals.js';
import type { ModelSpec } from './spec.js';
import { bindWeights } from './weights.js';

/** Errors: ModelFileError for a file that contradicts itself, UnsupportedError for a model that cannot be compiled. */
export function modelSpec(file: GgufFile): ModelSpec {
  const architecture = findArchitecture(file);
  refuseFeatures(file, architecture.name);
  const h = readHyperparameters(file, architecture.name);
  refuseShapeFeatures(file, architecture.name, h);
  const vocabSize = readVocabSize(file, architecture);
  const { model, layers } = bindWeights(file, architecture, sizesOf(h, vocabSize), h.blockCount);
  return {
    name: basename(file.path).replace(/\.gguf$/i, ''),
    architecture: architecture.name,
    file: {
      path: file.path,
      bytes: file.bytes,
      headerBytes: file.headerBytes,
      headerSha256: file.headerSha256,
    },
    vocabSize,
    contextLength: h.contextLength,
    embeddingLength: h.embeddingLength,
    feedForwardLength: h.feedForwardLength,
    headCount: h.headCount,
    headCountKv: h.headCountKv,
    headSize: h.headSize,
    rmsEpsilon: h.rmsEpsilon,
    rope: {
      dimensions: h.ropeDimensions,
      base: h.ropeBase,
      pairing: architecture.ropePairing,
      ...(model.ropeFactors && { factors: model.ropeFactors }),
    },
    tokenEmbedding: model.tokenEmbedding,
    outputNorm: model.outputNorm,
    output: model.output ?? model.tokenEmbedding,
    layers,
  };
}

function findArchitecture({ path, metadata }: GgufFile): Architecture {
  const name = metadata.requireString('general.architecture');
  const architecture = ARCHITECTURES.get(name);
  if (architecture) return architecture;
  const supported = [...ARCHITECTURES.keys()].join(', ');
  throw new UnsupportedError(path, `architecture ${quote(name)}`, `supported are ${supported}`);
}

/** The rows of the token embedding, with which everything else that counts tokens must agree. */
function readVocabSize({ path, metadata, tensors }: GgufFile, architecture: Architecture): number {
  const { name } = architecture.model.tokenEmbedding;
  const embedding = tensors.find((tensor) => tensor.name === name);
  if (!embedding) throw new ModelFileError(path, `tensor "${name}"`, 'expected this tensor, found none of that name');
  const rows = embedding.dims[1] ?? 1;
  const check = (key: string, tokens: number | undefined): void => {
    if (tokens === undefined || tokens === rows) return;
    metadata.fail(key, `expected ${rows} tokens, the rows of ${name}, found ${tokens}`);
  };
  check(`${architecture.name}.vocab_size`, metadata.getUint(`${architecture.name}.vocab_size`));
  check('tokenizer.ggml.tokens', metadata.getArray('tokenizer.ggml.tokens')?.length);
  return rows;
}

function sizesOf(h: Hyperparameters, vocabulary: number) {
  return {
    vocabulary,
    embedding: h.embeddingLength,
    feedForward: h.feedForwardLength,
    query: h.headCount * h.headSize,
    keyValue: h.headCountKv * h.headSize,
    head: h.headSize,
    ropePairs: h.ropeDimensions / 2,
  };
}
