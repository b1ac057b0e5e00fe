/** How much of a text the parts of an expression take. */
import type { AlternativeNode, Node } from 'oniguruma-parser/parser';
import type { Flags } from './flags.js';

export type Width = readonly [least: number, most: number];

const ANY: Width = [0, Number.POSITIVE_INFINITY];
/** What a letter that stands for several has at most. */
const MOST_LETTERS = 3;

const sum = (widths: readonly Width[]): Width => [
  widths.reduce((all, [least]) => all + least, 0),
  widths.reduce((all, [, most]) => all + most, 0),
];
const times = (count: number, width: number): number => (count === 0 || width === 0 ? 0 : count * width);

/** In characters, at least and at most. */
export function widthOf(alternatives: readonly AlternativeNode[], { ignoreCase }: Flags): Width {
  const [least, most] = widthOfAll(alternatives);
  return ignoreCase ? [Math.ceil(least / MOST_LETTERS), most * MOST_LETTERS] : [least, most];
}

function widthOfAll(alternatives: readonly AlternativeNode[]): Width {
  const widths = alternatives.map(({ body }) => sum(body.map(nodeWidth)));
  return [Math.min(...widths.map(([least]) => least)), Math.max(...widths.map(([, most]) => most))];
}

function nodeWidth(node: Node): Width {
  switch (node.type) {
    case 'Character':
    case 'CharacterClass':
      return [1, 1];
    case 'CharacterSet':
      return node.variableLength ? [1, 2] : [1, 1];
    case 'Group':
    case 'CapturingGroup':
      return widthOfAll(node.body);
    case 'Quantifier': {
      const [least, most] = nodeWidth(node.body);
      return [times(node.min, least), times(node.max ?? Number.POSITIVE_INFINITY, most)];
    }
    case 'Assertion':
    case 'LookaroundAssertion':
    case 'Directive':
      return [0, 0];
    default:
      return ANY;
  }
}

export const canBeEmpty = (node: Node): boolean => nodeWidth(node)[0] === 0;
