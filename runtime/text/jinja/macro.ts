/** Macros, and what a call block hands to one. */
import { type Activation, type State, within } from './activation.js';
import { typeError } from './errors.js';
import { repr } from './print.js';
import { Callable, Dict, type Keywords, Tuple, Undefined, type Value } from './values.js';

export interface Definition {
  /** None for the body of a call block. */
  readonly name: string | undefined;
  readonly parameters: readonly string[];
  /** The body reads these names, which it was not given as parameters. */
  readonly uses: { readonly caller: boolean; readonly kwargs: boolean; readonly varargs: boolean };
  /** Renders the body. Arguments that are undefined were not given. */
  readonly render: (outer: Activation, args: readonly (Value | undefined)[]) => string;
}

export class Macro extends Callable {
  readonly typeName = 'Macro';

  constructor(
    private readonly definition: Definition,
    private readonly outer: Activation,
    private readonly state: State,
  ) {
    super();
  }

  get name(): string {
    return this.definition.name ?? 'anonymous';
  }

  repr(): string {
    const { name } = this.definition;
    return name === undefined ? '<Macro anonymous>' : `<Macro ${repr(name)}>`;
  }

  attribute(name: string): Value | undefined {
    const { parameters, uses } = this.definition;
    if (name === 'name') return this.definition.name ?? null;
    if (name === 'arguments') return new Tuple(parameters);
    if (name === 'catch_kwargs') return uses.kwargs;
    if (name === 'catch_varargs') return uses.varargs;
    if (name === 'explicit_caller') return parameters.includes('caller');
    return name === 'caller' ? uses.caller : undefined;
  }

  override call(args: readonly Value[], keywords: Keywords): Value {
    return within(this.state, () => this.definition.render(this.outer, this.#bind(args, keywords)));
  }

  #bind(args: readonly Value[], keywords: Keywords): (Value | undefined)[] {
    const { parameters, uses } = this.definition;
    const words = new Map(keywords);
    const values: (Value | undefined)[] = args.slice(0, parameters.length);
    for (const name of parameters.slice(values.length)) {
      values.push(words.get(name));
      words.delete(name);
    }
    if (uses.caller && !parameters.includes('caller')) {
      values.push(words.get('caller') ?? new Undefined('No caller defined'));
      words.delete('caller');
    }
    if (uses.kwargs) values.push(new Dict(words));
    else if (words.size > 0) throw this.#unexpected([...words.keys()]);
    if (uses.varargs) values.push(new Tuple(args.slice(parameters.length)));
    else if (args.length > parameters.length)
      throw typeError(`macro ${repr(this.name)} takes not more than ${parameters.length} argument(s)`);
    return values;
  }

  #unexpected(names: readonly string[]) {
    const macro = `macro ${repr(this.name)}`;
    if (names.includes('caller'))
      return typeError(
        `${macro} was invoked with two values for the special caller argument. This is most likely a bug.`,
      );
    return typeError(`${macro} takes no keyword argument ${repr(names[0]!)}`);
  }
}
