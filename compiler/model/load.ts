/** Raw metadata and tensor table -> ModelSpec: everything typed and checked, or an error that names what is wrong. */
import { ModelFileError, UnsupportedError } from '../../runtime/common/errors.js';
import { quote } from '../../runtime/common/quote.js';
import type { GgufFile } from '../../runtime/files/gguf.js';
import { modelStem } from '../../runtime/files/parts.js';
import type { Stated } from '../../runtime/files/stated.js';
import type { Architecture } from './architectures/architecture.js';
import { ARCHITECTURES } from './architectures/index.js';
import { type Experts, readExperts } from './experts.js';
import { checkFloats } from './floats.js';
import { type Hyperparameters, readHyperparameters } from './hyperparameters.js';
import { Keys } from './keys.js';
import { missingFeatures } from './missing.js';
import { refuseFeatures, refuseShapeFeatures } from './refusals.js';
import type { LayerSpec, ModelSpec, RopeScaling, RopeSpec } from './spec.js';
import { type BoundWeights, bindWeights } from './weights.js';

/** Errors: ModelFileError for a file that contradicts itself, UnsupportedError for a model that cannot be compiled. */
export function modelSpec(file: GgufFile): ModelSpec {
  const architecture = findArchitecture(file);
  refuseFeatures(file, architecture);
  const h = readHyperparameters(file, architecture);
  refuseShapeFeatures(file, architecture, h);
  const keys = new Keys(file.metadata, architecture.name, architecture.keys ?? []);
  const has = (name: string): boolean => file.tensors.some((tensor) => tensor.name === name);
  const features = architecture.features?.(keys, h, has) ?? {};
  const vocabSize = readVocabSize(file, architecture);
  const experts = readExperts(file, architecture, h);
  // readExperts() has refused a dense model of an architecture that describes none.
  const layer = experts?.layer ?? (() => architecture.layer!);
  const weights = bindWeights(file, architecture, sizesOf(h, vocabSize, experts), h, layer);
  const { model } = weights;
  const { name, ropePairing } = architecture;
  const rope = ropeOf(file, { name, ropePairing: features.ropePairing ?? ropePairing }, h, model);
  const spec: ModelSpec = {
    name: modelStem(file.path),
    architecture: architecture.name,
    file: {
      path: file.path,
      bytes: file.bytes,
      parts: file.parts,
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
    norm: architecture.norm ?? 'rms',
    normEpsilon: h.normEpsilon,
    activation: file.stated?.activation ?? architecture.activation ?? 'silu',
    attentionScale: file.stated?.attentionScale ?? features.attentionScale ?? 1 / Math.sqrt(h.headSize),
    ...(features.attentionSoftCap && { attentionSoftCap: features.attentionSoftCap }),
    ...(features.logitSoftCap && { logitSoftCap: features.logitSoftCap }),
    ...(features.embeddingScale && { embeddingScale: features.embeddingScale }),
    ...(features.residualScale && { residualScale: features.residualScale }),
    ...(features.logitScale && { logitScale: features.logitScale }),
    ...(features.parallel && { parallel: true }),
    ...(features.normsAfterRope && { normsAfterRope: true }),
    ...(experts && { experts: experts.spec }),
    tokenEmbedding: model.tokenEmbedding,
    outputNorm: model.outputNorm,
    ...(model.outputNormBias && { outputNormBias: model.outputNormBias }),
    output: model.output ?? model.tokenEmbedding,
    ...(model.outputBias && { outputBias: model.outputBias }),
    layers: layerSpecs(weights, rope, features.layer, file.stated),
  };
  checkFloats(file.path, spec);
  return spec;
}

/** Layers that are alike share their rope. */
function layerSpecs(
  { layers }: BoundWeights,
  rope: RopeSpec,
  featuresOf: NonNullable<ReturnType<NonNullable<Architecture['features']>>['layer']> = () => ({}),
  stated?: Stated,
): LayerSpec[] {
  const locals = new Map<string, RopeSpec>();
  const local = ({ base, scaled }: { base: number; scaled: boolean }): RopeSpec => {
    const { scaling, statedFactors, ...plain } = rope;
    const known = locals.get(`${base} ${scaled}`);
    const made = known ?? {
      ...plain,
      base,
      ...(scaled && { ...(scaling && { scaling }), ...(statedFactors && { statedFactors }) }),
    };
    locals.set(`${base} ${scaled}`, made);
    return made;
  };
  return layers.map((weights, index) => {
    const features = featuresOf(index);
    const window = stated ? stated.windows[index] : features.window;
    const hasRope = stated?.hasRope?.[index] ?? features.rope !== 'none';
    const own = typeof features.rope === 'object' ? local(features.rope) : rope;
    return {
      ...weights,
      ...(hasRope && { rope: own }),
      ...(window && { window }),
    };
  });
}

/** Errors: UnsupportedError where longrope has no factors, or factors only for one length. */
function ropeOf(
  { path, stated }: GgufFile,
  { ropePairing, name }: Pick<Architecture, 'ropePairing' | 'name'>,
  h: Hyperparameters,
  { ropeFactors, ropeFactorsLong, ropeFactorsShort }: BoundWeights['model'],
): RopeSpec {
  if (!ropeFactorsLong !== !ropeFactorsShort || (ropeFactors && ropeFactorsLong))
    throw new UnsupportedError(
      path,
      `these rope factors of ${name}`,
      'needed are none, one set, or a long and a short one',
    );
  if (h.longRope && !ropeFactorsLong)
    throw new UnsupportedError(
      path,
      'longrope rope scaling without factors',
      `${name} needs a tensor of long and one of short ones`,
    );
  const factors = ropeFactors ?? ropeFactorsShort;
  const scaling = h.ropeScaling && stated?.yarnUnrounded ? unrounded(h.ropeScaling) : h.ropeScaling;
  return {
    dimensions: h.ropeDimensions,
    base: h.ropeBase,
    // llama.cpp's converter may reorder rows so that pairs are neighbours; transformers' files have them as they were.
    pairing: stated ? (stated.ropePairing ?? 'half') : ropePairing,
    ...(stated?.ropeFactors && { statedFactors: stated.ropeFactors }),
    ...(scaling && { scaling }),
    ...(factors && { factors }),
    ...(ropeFactorsLong && { longFactors: { weight: ropeFactorsLong, beyond: h.originalContext } }),
  };
}

const unrounded = ({ yarn, ...scaling }: RopeScaling): RopeScaling => ({
  ...scaling,
  ...(yarn && { yarn: { ...yarn, unrounded: true } }),
});

function findArchitecture(file: GgufFile): Architecture {
  const { path, metadata } = file;
  const name = metadata.requireString('general.architecture');
  const architecture = ARCHITECTURES.get(name);
  if (architecture) return architecture;
  const supported = [...ARCHITECTURES.keys()].join(', ');
  const missing = missingFeatures(file, name);
  const why =
    missing.length > 0
      ? `it needs ${missing.join(', ')}, which this compiler does not build; `
      : 'its tensors and keys are known, but not what it does with them; ';
  throw new UnsupportedError(path, `architecture ${quote(name)}`, `${why}supported are ${supported}`);
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

function sizesOf(h: Hyperparameters, vocabulary: number, experts: Experts | undefined) {
  return {
    vocabulary,
    embedding: h.embeddingLength,
    feedForward: h.feedForwardLength,
    query: h.headCount * h.headSize,
    keyValue: h.headCountKv * h.headSize,
    head: h.headSize,
    heads: h.headCount,
    experts: experts?.spec.count ?? 0,
    expertFeedForward: experts?.feedForward ?? 0,
    sharedFeedForward: experts?.sharedFeedForward ?? 0,
    ropePairs: h.ropeDimensions / 2,
    one: 1,
  };
}
