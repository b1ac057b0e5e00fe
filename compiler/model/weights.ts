/** Finds every tensor that an architecture names, checks its shape and type, and refuses the ones left over. */
import { ModelFileError, UnsupportedError } from '../../runtime/common/errors.js';
import { quote, several } from '../../runtime/common/quote.js';
import { GGML_TYPES, isSupportedType } from '../../runtime/files/ggml.js';
import type { GgufFile } from '../../runtime/files/gguf.js';
import type { TensorInfo } from '../../runtime/files/tensor_table.js';
import type { Architecture, LayerRules, Size, TensorRule } from './architectures/architecture.js';
import type { Hyperparameters } from './hyperparameters.js';
import type { LayerWeights, Weight } from './spec.js';

type ModelWeights = { readonly [Role in keyof Architecture['model']]: Weight };

export interface BoundWeights {
  /** `output` is absent where the file ties it to the token embedding. */
  readonly model: Omit<ModelWeights, 'output'> & { readonly output?: Weight };
  readonly layers: readonly LayerWeights[];
}

/** Missing names are counted up to here, so that a wrong block_count costs no more than the file's own size. */
const ENOUGH_MISSING = 1000;
/** Matrices with which llama.cpp takes a number that their products are multiplied with, "attn_q.scale". */
const SCALED = /\b(attn_(q|k|v|qkv|output)|ffn_(gate|up|down)(_exps|_shexp)?)\.weight$/;
const FEED_FORWARD = /\bffn_(gate|up|down)/;
/** Multiplied after a bias has been added. */
const SCALED_WITH_BIAS = /\bffn_(gate|up|down)\.weight$/;
/** What the quantized input of a matrix was scaled by, and the head of a reranker: no logits depend on them. */
const UNUSED = /\.input_scale$|^cls\.output\.(weight|bias)$/;
const VECTOR_TYPES: readonly string[] = ['F32', 'F16', 'BF16'];

/** Errors: ModelFileError for missing, extra or wrongly shaped tensors, UnsupportedError for types; they name a few. */
export function bindWeights(
  file: GgufFile,
  architecture: Architecture,
  sizes: Readonly<Record<Size, number>>,
  { blockCount, nextnLayers }: Pick<Hyperparameters, 'blockCount' | 'nextnLayers'>,
  layer: (index: number) => LayerRules,
): BoundWeights {
  const binder = new Binder(file, sizes, architecture.feedForwardScales ?? false);
  const model = binder.bind(architecture.model, '');
  const layers: unknown[] = [];
  for (let i = 0; i < blockCount && binder.missing.length < ENOUGH_MISSING; i++) {
    layers.push(binder.bind(layer(i), `blk.${i}.`));
  }
  binder.ignoreLayers(blockCount, blockCount + nextnLayers);
  binder.finish(architecture.name, blockCount);
  // bind() fills every role whose rule is not optional, or finish() has thrown.
  return { model: model as BoundWeights['model'], layers: layers as LayerWeights[] };
}

class Binder {
  readonly missing: string[] = [];
  private readonly misshapen = new Set<string>();
  private readonly mistyped = new Set<string>();
  private readonly tensors: ReadonlyMap<string, TensorInfo>;
  private readonly unused: Set<string>;

  constructor(
    private readonly file: GgufFile,
    private readonly sizes: Readonly<Record<Size, number>>,
    private readonly feedForwardScales: boolean,
  ) {
    this.tensors = new Map(file.tensors.map((tensor) => [tensor.name, tensor]));
    this.unused = new Set([...this.tensors.keys()].filter((name) => !UNUSED.test(name)));
  }

  /** The weights of the rules' roles; what is wrong with them is kept for finish(). */
  bind(rules: object, prefix: string): Record<string, Weight> {
    const weights: Record<string, Weight> = {};
    const [there, away]: [string[], string[]] = [[], []];
    for (const [role, first] of Object.entries(rules) as [string, TensorRule][]) {
      const { otherwise = first } = first;
      const rule = this.tensors.has(prefix + otherwise.name) ? otherwise : first;
      const name = prefix + rule.name;
      const tensor = this.tensors.get(name);
      this.unused.delete(name);
      const weight = tensor ? this.check(rule, tensor) : this.bindPieces(rule, prefix);
      const scale = this.bindScale(rule, prefix);
      const scalesBias = scale && SCALED_WITH_BIAS.test(rule.name);
      if (weight) weights[role] = { ...weight, ...(scale && { scale }), ...(scalesBias && { scalesBias }) };
      else if (!tensor && !rule.optional) this.missing.push(name);
      if (rule.together) (tensor ? there : away).push(name);
    }
    if (there.length > 0) this.missing.push(...away);
    return weights;
  }

  private bindScale({ name, ofExperts }: TensorRule, prefix: string): Weight | undefined {
    const tensor = SCALED.test(name) && this.tensors.get(prefix + name.replace(/weight$/, 'scale'));
    if (!tensor) return undefined;
    this.unused.delete(tensor.name);
    if (FEED_FORWARD.test(name) && !this.feedForwardScales) return undefined;
    const size = ofExperts ? 'experts' : 'one';
    return this.check({ name: tensor.name, rows: 1, cols: size, kind: 'vector', optional: true }, tensor);
  }

  /** Files from before there was one tensor for all experts: "ffn_gate.0.weight" and so on for "ffn_gate_exps.weight". */
  private bindPieces(rule: TensorRule, prefix: string): Weight | undefined {
    const nameOf = (expert: number) => prefix + rule.name.replace('_exps.', `.${expert}.`);
    if (!rule.ofExperts || rule.kind !== 'matrix' || !this.tensors.has(nameOf(0))) return undefined;
    const { ofExperts: _, ...ofOne } = rule;
    const pieces: Weight[] = [];
    for (let expert = 0; expert < this.sizes.experts; expert++) {
      const name = nameOf(expert);
      const tensor = this.tensors.get(name);
      this.unused.delete(name);
      const piece = tensor && this.check(ofOne, tensor);
      if (!tensor) this.missing.push(name);
      if (piece) pieces.push(piece);
    }
    const [first] = pieces;
    // What is missing or wrong with one is kept for finish(), so what stands here then does not matter.
    if (!first || pieces.length < this.sizes.experts) return first;
    const other = pieces.find(({ type }) => type !== first.type);
    if (other) this.mistyped.add(`${other.name} of type ${other.type} beside ${first.name} of type ${first.type}`);
    const total = (size: 'rows' | 'bytes') => pieces.reduce((sum, piece) => sum + piece[size], 0);
    return {
      ...first,
      name: prefix + rule.name,
      rows: total('rows'),
      bytes: total('bytes'),
      pieces: pieces.map(({ offset, bytes }) => ({ offset, bytes })),
    };
  }

  /** Tensors of layers from `first` on, before `end`, may be there and are not read. */
  ignoreLayers(first: number, end: number): void {
    for (const name of this.unused) {
      const layer = Number(/^blk\.(\d+)\./.exec(name)?.[1]);
      if (layer >= first && layer < end) this.unused.delete(name);
    }
  }

  finish(architecture: string, blockCount: number): void {
    const problem = (place: string, text: string): never => {
      throw new ModelFileError(this.file.path, place, text);
    };
    const [missing, misshapen, mistyped] = [[...new Set(this.missing)], [...this.misshapen], [...this.mistyped]];
    const model = `${/^[aeiou]/.test(architecture) ? 'an' : 'a'} ${architecture} model of ${blockCount} layers`;
    if (missing.length > 0) problem('tensors', `${model} needs ${several(missing)}, which the file does not have`);
    if (misshapen.length > 0) problem('tensors', several(misshapen));
    if (this.unused.size > 0) {
      const extra = Array.from(this.unused, (name) => quote(name));
      problem('tensors', `${model} has no place for ${several(extra)}, which the file has`);
    }
    if (mistyped.length > 0) {
      const types = `vectors must be ${VECTOR_TYPES.join(', ')}, matrices one of ${Object.keys(GGML_TYPES).join(', ')}`;
      throw new UnsupportedError(this.file.path, several(mistyped), types);
    }
  }

  private check(rule: TensorRule, { name, type, dims, ...place }: TensorInfo): Weight | undefined {
    const cols = this.sizes[rule.cols];
    const total = (sizes: readonly Size[] = []) => sizes.reduce((sum, size) => sum + this.sizes[size], 0);
    const [before, after] = [total(rule.part?.before), total(rule.part?.after)];
    // Of a matrix the parts are rows, of a vector elements.
    const own = rule.rows === 1 ? cols : this.sizes[rule.rows];
    const all = before + own + after;
    const stack = rule.ofExperts ? [this.sizes.experts] : [];
    const expected = [...(rule.rows === 1 ? [all] : [cols, all]), ...stack];
    if (!sameShape(dims, expected)) {
      this.misshapen.add(`expected ${name} of shape [${expected.join(', ')}], found [${dims.join(', ')}]`);
      return undefined;
    }
    if (!isSupportedType(type) || (rule.kind === 'vector' && !VECTOR_TYPES.includes(type))) {
      this.mistyped.add(`${name} of type ${type}`);
      return undefined;
    }
    if (rule.kind === 'f32' && type !== 'F32' && !this.file.stated) {
      this.mistyped.add(`${name} of type ${type} (only F32)`);
      return undefined;
    }
    if (!rule.part) {
      const count = rule.ofExperts ? this.sizes.experts : 1;
      const shape = rule.rows === 1 ? { rows: 1, cols: cols * count } : { rows: own * count, cols };
      return { name, type, ...shape, ...place };
    }
    const ofOne = place.bytes / all;
    const share = { offset: place.offset + before * ofOne, bytes: own * ofOne };
    const rows = rule.rows === 1 ? 1 : own;
    return { name: `${name}.${rule.part.label}`, type, rows, cols, ...place, ...share };
  }
}

/** Dimensions of 1 at the end count as none. */
function sameShape(a: readonly number[], b: readonly number[]): boolean {
  const [longer, shorter] = a.length > b.length ? [a, b] : [b, a];
  return longer.every((dim, i) => dim === (shorter[i] ?? 1));
}
