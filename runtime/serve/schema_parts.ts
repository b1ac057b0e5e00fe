/** Words for JSON schemas. null is a parameter that is not given, as in OpenAI's API. */

export type Schema = Readonly<Record<string, unknown>>;

export const nullable = (type: string, limits: Schema = {}): Schema => ({ type: [type, 'null'], ...limits });
export const number = (minimum: number, maximum: number) => nullable('number', { minimum, maximum });
export const integer = (minimum: number, maximum: number) => nullable('integer', { minimum, maximum });
export const boolean = nullable('boolean');
