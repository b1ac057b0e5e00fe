/** Assigning to names, to several at once, and to the attributes of namespaces. */
import type { Activation } from './activation.js';
import { JinjaError } from './errors.js';
import type { Frame } from './frame.js';
import { unpack } from './iterate.js';
import type { Target } from './nodes.js';
import { assigned, fieldOwners } from './traverse.js';
import { Namespace, Tuple, type Value } from './values.js';

export type Assign = (at: Activation, value: Value) => void;

export function assign(target: Target, frame: Frame): Assign {
  if (target.kind === 'name') return frame.writer(frame.symbols.find(target.name)!);
  if (target.kind === 'field') {
    const owner = frame.name(target.name);
    return (at, value) => (owner(at) as Namespace).attributes.set(target.attribute, value);
  }
  const parts = target.items.map((part) => assign(part, frame));
  return (at, value) => {
    const values = unpack(value, parts.length);
    for (const [i, part] of parts.entries()) part(at, values[i]!);
  };
}

/** The same of a tag that sets: attributes are those of namespaces, and what the outermost scope sets is seen by blocks. */
export function set(target: Target, frame: Frame): { check: (at: Activation) => void; store: Assign } {
  const owners = [...new Set(fieldOwners(target))].map((name) => frame.name(name));
  const names = frame.kind.isTop ? assigned(target).map((name) => [name, frame.name(name)] as const) : [];
  const store = assign(target, frame);
  return {
    check: (at) => {
      if (!owners.every((owner) => owner(at) instanceof Namespace))
        throw new JinjaError('TemplateRuntimeError', 'cannot assign attribute on non-namespace object');
    },
    store: (at, value) => {
      store(at, value);
      for (const [name, read] of names) at.state.exported.set(name, read(at));
    },
  };
}

/** An item as a loop with a test hands it on: what was unpacked is a tuple. */
export function shape(target: Target, value: Value): Value {
  if (target.kind !== 'targets') return value;
  const values = unpack(value, target.items.length);
  return new Tuple(target.items.map((part, i) => shape(part, values[i]!)));
}
