export const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

export const roundUp = (n: number, to: number): number => Math.ceil(n / to) * to;
