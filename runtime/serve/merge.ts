/** Several sources as one, in the order in which they deliver. */

type Outcome<T> =
  | { readonly source: AsyncIterator<T>; readonly step: IteratorResult<T> }
  | { readonly failure: { readonly error: unknown } };

/**
 * Each source is asked for its next value once the last was taken. A source that has nothing yet holds one promise, however
 * much the others deliver meanwhile. The first failure is thrown.
 */
export async function* merge<T>(sources: readonly AsyncIterator<T>[]): AsyncGenerator<T> {
  const ready: Outcome<T>[] = [];
  let wake = () => {};
  const deliver = (outcome: Outcome<T>) => {
    ready.push(outcome);
    wake();
  };
  const advance = (source: AsyncIterator<T>) =>
    void source.next().then(
      (step) => deliver({ source, step }),
      (error: unknown) => deliver({ failure: { error } }),
    );
  for (const source of sources) advance(source);
  for (let open = sources.length; open > 0; ) {
    const outcome = ready.shift();
    if (outcome === undefined) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    } else if ('failure' in outcome) {
      throw outcome.failure.error;
    } else if (outcome.step.done) {
      open--;
    } else {
      yield outcome.step.value;
      advance(outcome.source);
    }
  }
}
