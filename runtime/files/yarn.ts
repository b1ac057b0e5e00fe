/** YaRN scales attention up as the context grows; `factor` is at least 1. */
export const yarnMagnitude = (factor: number): number => 1 + 0.1 * Math.log(factor);
