/** What an operation reads and writes. Dependencies come from here and nowhere else; weights are constants. */
import type { Op, Value } from './ops.js';

/** Memory that outlives the token: the state buffer (token, position, seq_len), or the KV cache of one layer. */
export type Resource = 'state' | `kv.${number}`;

export interface Effects {
  /** One entry an operand: a value that is read twice stands here twice. */
  readonly values: readonly Value[];
  readonly resources: readonly Resource[];
}

export function kvCache(layer: number): Resource {
  return `kv.${layer}`;
}

export function reads(op: Op): Effects {
  switch (op.kind) {
    case 'embed':
      return { values: [], resources: ['state'] };
    case 'norm':
    case 'linear':
    case 'silu':
    case 'gelu':
    case 'gelu_erf':
    case 'relu_sqr':
    case 'scale':
    case 'soft_cap':
      return { values: [op.input], resources: [] };
    case 'rope':
      return { values: [op.input], resources: ['state'] };
    case 'kv_append':
      return { values: [op.key, op.value], resources: ['state'] };
    case 'attention':
      return { values: [op.query], resources: ['state', kvCache(op.layer)] };
    case 'add':
      return { values: [op.a, op.b], resources: [] };
    case 'route':
      return { values: [op.logits], resources: [] };
    case 'expert_linear':
    case 'expert_sum':
      return { values: [op.input, op.routing], resources: [] };
    case 'head_gate':
    case 'sigmoid_scale':
      return { values: [op.gate, op.input], resources: [] };
    case 'silu_mul':
    case 'gelu_mul':
    case 'swiglu_oai_mul':
      return { values: [op.gate, op.up], resources: [] };
    case 'select':
      return { values: [op.logits], resources: ['state'] };
    case 'projection': {
      const added = [op.inputSum?.residual, op.residual].filter((value) => value !== undefined);
      return { values: [op.input, ...added], resources: [] };
    }
    case 'norm_add':
      return { values: op.residual ? [op.input, op.residual] : [op.input], resources: [] };
    case 'experts': {
      const added = [op.shared, op.residual].filter((value) => value !== undefined);
      return { values: [op.input, op.logits, ...added], resources: [] };
    }
    case 'attend':
      return { values: [op.qkv], resources: ['state', kvCache(op.layer)] };
    case 'select_best':
      return { values: [op.logits, op.best], resources: ['state'] };
  }
}

export function writes(op: Op): Effects {
  switch (op.kind) {
    case 'kv_append':
      return { values: [], resources: [kvCache(op.layer)] };
    case 'select':
    case 'select_best':
      return { values: [], resources: ['state'] };
    case 'attend':
      return { values: [op.output], resources: [kvCache(op.layer)] };
    case 'projection': {
      const besides = [op.best, op.inputSum?.output, op.router?.logits].filter((value) => value !== undefined);
      return { values: [op.output, ...besides], resources: [] };
    }
    default:
      return { values: [op.output], resources: [] };
  }
}
