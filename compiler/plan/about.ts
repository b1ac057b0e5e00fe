/** The lines that the plan's table, the plan itself and the emitted source say of each node. */
import type { Experts, FusedOp, Projection } from '../ir/ops.js';
import type { Weight } from '../model/spec.js';

/** What a node computes, in a line. */
export function about(op: FusedOp): string {
  switch (op.kind) {
    case 'embed':
      return `${op.weight.name} ${op.weight.type} [${op.weight.rows} x ${op.weight.cols}], row of the token${op.scale ? `, * ${op.scale}` : ''} -> f32[${op.output.size}]`;
    case 'projection': {
      const matrices = op.segments.flatMap(({ weights }) => weights).map(matrix);
      const product = `${inputSum(op)}${op.norm ? 'norm, ' : ''}${matrices.join(' + ')}`;
      const activation = op.activation && {
        silu_mul: ', silu(gate) * up',
        gelu_mul: ', gelu(gate) * up',
        silu: ', silu',
        gelu: ', gelu',
        gelu_erf: ', exact gelu',
        relu_sqr: ', relu squared',
      };
      const act = activation ? activation[op.activation!] : '';
      const constants = `${op.scale ? `, * ${op.scale}` : ''}${op.softCap ? `, capped at ${op.softCap}` : ''}`;
      const rest = `${act}${constants}${op.residual ? `, + ${op.residual.name}` : ''}`;
      const router = op.router ? `; ${op.router.logits.name}: norm, ${matrix(op.router.weight)}` : '';
      return `${op.input.name} f32[${op.input.size}]: ${product}${rest} -> f32[${op.output.size}]${router}`;
    }
    case 'experts':
      return aboutExperts(op);
    case 'norm_add':
      return `${op.input.name} f32[${op.input.size}]: norm${op.residual ? `, + ${op.residual.name}` : ''} -> f32[${op.output.size}]`;
    case 'attend': {
      const steps = [op.queryNorm && 'norm', op.rope && 'rope'].filter(Boolean);
      const turned = (op.normTurned ? steps.reverse() : steps).join(' and ');
      const seen = `${op.softCap ? `, capped at ${op.softCap}` : ''}${op.window ? `, newest ${op.window}` : ''}`;
      return (
        `${turned ? `${turned} q and k, ` : ''}append to KV cache ${op.layer}, ` +
        `attention of ${op.headCount} heads over ${op.headCountKv} KV heads of ${op.headSize}${seen}${op.gates ? ', * sigmoid(gates)' : ''} -> f32[${op.output.size}]`
      );
    }
    case 'select_best':
      return 'the next token; token, position and seq_len move on';
  }
}

function inputSum({ inputSum: sum }: Projection): string {
  return sum ? `norm, + ${sum.residual.name}${sum.output ? ` -> ${sum.output.name}` : ''}, ` : '';
}

function aboutExperts(op: Experts): string {
  const { experts, segment, norm, activation, sum, residual, input, logits, output } = op;
  const { count, used } = experts;
  const matrices = segment.weights
    .map(({ name, type, rows, cols }) => `${shortName(name)} ${type} [${rows / count} x ${cols}]`)
    .join(' + ');
  const gated = activation?.endsWith('_mul');
  const act = gated ? `, ${activation!.replace('_mul', '')}(gate) * up` : activation ? `, ${activation}` : '';
  const added = op.shared ? `, + ${op.gated ? 'gate * ' : ''}${op.shared.name}` : '';
  const rest = `${added}${sum?.scale ? `, * ${sum.scale}` : ''}${residual ? `, + ${residual.name}` : ''}`;
  const product = `${norm ? 'norm, ' : ''}${used} of ${count} experts by ${logits.name}: ${matrices}${act}`;
  return `${input.name} f32[${input.size}]: ${product}${sum ? ', weighted sum' : ''}${rest} -> f32[${output.size}]`;
}

const matrix = ({ name, type, rows, cols }: Weight): string => `${shortName(name)} ${type} [${rows} x ${cols}]`;
const shortName = (weight: string): string => weight.replace(/^blk\.\d+\./, '').replace(/\.weight$/, '');
