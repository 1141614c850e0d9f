/**
 * Goes on with a value: at once when it is there, later when it is a promise. On the way of every message, where each hop
 * through the queue of microtasks would cost as much as the step itself, promises are for what really has to wait.
 */
export function whenReady<Value, Next>(
  value: Value | Promise<Value>,
  goOn: (value: Value) => Next | Promise<Next>,
): Next | Promise<Next> {
  return value instanceof Promise ? value.then(goOn) : goOn(value);
}

/** All of several values: a promise only when one of them is. */
export function allReady<Value>(values: (Value | Promise<Value>)[]): Value[] | Promise<Value[]> {
  return values.some((value) => value instanceof Promise) ? Promise.all(values) : (values as Value[]);
}
