/** Reads how many experts a model has and how wide they are, with llama.cpp's keys and defaults. */
import { UnsupportedError } from '../../runtime/common/errors.js';
import type { GgufFile } from '../../runtime/files/gguf.js';
import type { Architecture, ExpertRules, LayerRules, SharedRules } from './architectures/architecture.js';
import type { Hyperparameters } from './hyperparameters.js';
import type { ExpertsSpec } from './spec.js';

/** Keys that an architecture with experts may have besides its own. */
export function expertKeys({ dense, interleaved, scaled, shared, grouped }: ExpertRules): readonly string[] {
  return [
    ...['expert_count', 'expert_used_count', 'expert_feed_forward_length'],
    ...(dense ? ['leading_dense_block_count'] : []),
    ...(interleaved ? ['interleave_moe_layer_step'] : []),
    ...(scaled ? ['expert_weights_scale'] : []),
    ...(grouped ? ['expert_group_count', 'expert_group_used_count'] : []),
    ...(shared?.stated ? ['expert_shared_feed_forward_length'] : []),
    ...(shared?.counted ? ['expert_shared_count'] : []),
  ];
}

/** The kernel of experts keeps the logits of all experts in a block's registers and shared memory. */
const MAX_EXPERTS = 256;
const MAX_USED = 32;
/** Of `expert_gating_func`, whose softmax is 1. */
const SIGMOID = 2;

export interface Experts {
  readonly spec: ExpertsSpec;
  /** Columns of an expert's down matrix, and of the shared one's; 0: there is none. */
  readonly feedForward: number;
  readonly sharedFeedForward: number;
  readonly layer: (index: number) => LayerRules;
}

/** Undefined for a dense model. Errors: ModelFileError that names the key; UnsupportedError for too many experts. */
export function readExperts(file: GgufFile, architecture: Architecture, h: Hyperparameters): Experts | undefined {
  const { metadata } = file;
  const { name, experts: rules } = architecture;
  const key = (suffix: string) => `${name}.${suffix}`;
  const count = metadata.getUint(key('expert_count')) ?? 0;
  if (!rules || count === 0) {
    if (!architecture.layer) metadata.fail(key('expert_count'), `expected the number of experts, found ${count}`);
    return undefined;
  }
  const used = metadata.requireUint(key('expert_used_count'));
  if (used < 1 || used > count)
    metadata.fail(key('expert_used_count'), `expected 1 to the expert count ${count}, found ${used}`);
  if (count > MAX_EXPERTS || used > MAX_USED)
    throw new UnsupportedError(
      file.path,
      `${used} of ${count} experts`,
      `at most ${MAX_USED} of at most ${MAX_EXPERTS} are supported (${key('expert_count')}, ${key('expert_used_count')})`,
    );
  const { dense, shared } = rules;
  const feedForward = metadata.getUint(key('expert_feed_forward_length')) || defaultWidth(rules, h, used);
  const sharedFeedForward = shared
    ? sharedWidth(file, name, shared, { none: 0, expert: feedForward, feedForward: h.feedForwardLength })
    : 0;
  const layer = { ...rules.layer, ...(sharedFeedForward > 0 && shared?.layer) };
  const leading = dense ? readLeading(file, key('leading_dense_block_count'), h) : 0;
  const step = rules.interleaved ? readStep(file, key('interleave_moe_layer_step'), leading, h) : 1;
  return {
    spec: {
      count,
      used,
      ...readWeighting(file, name, rules),
      ...(rules.grouped && readGroups(file, name, count, used)),
    },
    feedForward,
    sharedFeedForward,
    layer: (index) => (dense && (index < leading || (index + 1) % step !== 0) ? dense : layer),
  };
}

/** What the architecture leaves to the file of how experts are weighted. */
function readWeighting(file: GgufFile, name: string, rules: ExpertRules): Omit<ExpertsSpec, 'count' | 'used'> {
  const { metadata } = file;
  const isNormed = rules.weightsOver === 'stated' && metadata.getBool(`${name}.expert_weights_norm`);
  const gating = `${name}.expert_gating_func`;
  const func = {
    stated: () => metadata.requireUint(gating),
    sigmoid: () => metadata.getUint(gating) || SIGMOID,
  };
  const isSigmoid = rules.gating && func[rules.gating]() === SIGMOID;
  const scaleKey = `${name}.expert_weights_scale`;
  const scale = rules.scaled && metadata.getFloat(scaleKey);
  if (Number.isNaN(scale)) metadata.fail(scaleKey, 'expected a number, found NaN');
  const stated = isNormed ? 'chosen' : 'all';
  return {
    weightsOver: file.stated?.weightsOver ?? (rules.weightsOver === 'stated' ? stated : rules.weightsOver),
    ...(isSigmoid && { gating: 'sigmoid' }),
    // As in llama.cpp, 0 is no factor.
    ...(scale && scale !== 1 && { scale }),
  };
}

/** Errors: ModelFileError where groups are not equal parts of two experts or more, or too few are used. */
function readGroups(
  { metadata }: GgufFile,
  name: string,
  experts: number,
  chosen: number,
): Pick<ExpertsSpec, 'groups'> | undefined {
  const [all, ofThem] = [`${name}.expert_group_count`, `${name}.expert_group_used_count`];
  const count = metadata.getUint(all) ?? 0;
  if (count <= 1) return undefined;
  if (experts % count !== 0 || experts < 2 * count)
    metadata.fail(all, `expected parts of two or more of the ${experts} experts, found ${count}`);
  const used = metadata.requireUint(ofThem);
  const least = Math.ceil(chosen / (experts / count));
  if (used < least || used > count)
    metadata.fail(ofThem, `expected ${least} to ${count}, for ${chosen} of ${experts} experts, found ${used}`);
  return { groups: { count, used } };
}

function sharedWidth(
  { metadata }: GgufFile,
  name: string,
  { stated, otherwise, counted }: SharedRules,
  widths: Readonly<Record<SharedRules['otherwise'], number>>,
): number {
  const own = stated && metadata.getUint(`${name}.expert_shared_feed_forward_length`);
  const count = counted ? metadata.requireUint(`${name}.expert_shared_count`) : 1;
  return (own || widths[otherwise]) * count;
}

/** Errors: ModelFileError where no layer with experts is left. */
function readLeading({ metadata }: GgufFile, key: string, { blockCount }: Hyperparameters): number {
  const leading = metadata.getUint(key) ?? 0;
  if (leading >= blockCount) metadata.fail(key, `expected fewer than the ${blockCount} layers, found ${leading}`);
  return leading;
}

/** Errors: the same. */
function readStep({ metadata }: GgufFile, key: string, leading: number, { blockCount }: Hyperparameters): number {
  const step = metadata.getUint(key) || 1;
  if (Math.floor(blockCount / step) * step <= leading)
    metadata.fail(key, `expected a step to one of the ${blockCount} layers after the first ${leading}, found ${step}`);
  return step;
}

function defaultWidth({ width }: ExpertRules, { feedForwardLength }: Hyperparameters, used: number): number {
  return width === 'feedForward' ? feedForwardLength : Math.floor(feedForwardLength / used);
}
