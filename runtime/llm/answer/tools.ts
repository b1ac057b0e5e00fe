/** The functions that a model may call, as far as reading its calls needs them. */

type Schema = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Schema => typeof value === 'object' && value !== null;
/** A Map is an object whose keys keep their order. */
const field = (value: unknown, name: string): unknown => {
  if (value instanceof Map) return value.get(name);
  return isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
};

export class Tools {
  readonly #parameters = new Map<string, unknown>();

  /** As the chat APIs have them; bare functions, as some templates take them, too. */
  constructor(tools: readonly unknown[]) {
    for (const tool of tools) {
      const given = field(tool, 'function') ?? tool;
      const name = field(given, 'name');
      if (typeof name === 'string') this.#parameters.set(name, field(given, 'parameters'));
    }
  }

  get isEmpty(): boolean {
    return this.#parameters.size === 0;
  }

  readonly has = (name: string): boolean => this.#parameters.has(name);

  /** JSON's types that a parameter may have; undefined where the schema does not say. */
  typesOf(name: string, parameter: string): readonly string[] | undefined {
    return typesOf(field(field(this.#parameters.get(name), 'properties'), parameter));
  }
}

function typesOf(schema: unknown): readonly string[] | undefined {
  const type = field(schema, 'type');
  if (typeof type === 'string') return [type];
  if (Array.isArray(type)) return type.filter((one) => typeof one === 'string');
  const values = field(schema, 'enum');
  if (Array.isArray(values)) return [...new Set(values.map((value) => (value === null ? 'null' : typeof value)))];
  for (const name of ['anyOf', 'oneOf']) {
    const choices = field(schema, name);
    if (!Array.isArray(choices)) continue;
    const types = choices.map(typesOf);
    return types.every((one) => one !== undefined) ? types.flat() : undefined;
  }
  return undefined;
}
