/** Kernels compute in float32: every number that a model is computed with must be one. */
import { ModelFileError } from '../../runtime/common/errors.js';
import { ropeFrequencies } from './rope.js';
import type { ModelSpec, RopeSpec } from './spec.js';

const isFloat32 = (value: number): boolean => Number.isFinite(Math.fround(value));

/** Errors: ModelFileError that names what is no finite float32. */
export function checkFloats(path: string, spec: ModelSpec): void {
  const named: readonly (readonly [name: string, value: number | undefined])[] = [
    ['epsilon of the norms', spec.normEpsilon],
    ['scale of attention', spec.attentionScale],
    ['soft cap of attention', spec.attentionSoftCap],
    ['soft cap of the logits', spec.logitSoftCap],
    ['scale of the embedding', spec.embeddingScale],
    ['scale of the residual', spec.residualScale],
    ['scale of the logits', spec.logitScale],
    ['scale of the experts', spec.experts?.scale],
  ];
  for (const [name, value = 0] of named)
    if (!isFloat32(value)) throw new ModelFileError(path, name, `expected a finite float32, found ${value}`);
  for (const rope of new Set(spec.layers.map((layer) => layer.rope))) if (rope) checkRope(path, rope);
}

function checkRope(path: string, rope: RopeSpec): void {
  const { base, dimensions, scaling, statedFactors } = rope;
  const fail = (what: string, found: number): never => {
    const given = `base ${base}, ${dimensions} dimensions${scaling ? `, positions times ${scaling.scale}` : ''}`;
    throw new ModelFileError(path, what, `expected a finite float32 above 0, found ${found} (${given})`);
  };
  const magnitude = scaling?.magnitude ?? 1;
  if (!isFloat32(magnitude)) fail('magnitude of the rope', magnitude);
  for (const short of [statedFactors?.short, statedFactors?.long?.factors])
    for (const frequency of ropeFrequencies(short ? { ...rope, statedFactors: { short } } : rope))
      if (!isFloat32(frequency) || frequency < 0) fail('frequencies of the rope', frequency);
}
